/// Memory that is received into. What was received stays as it is while anybody holds the chunk, so that a consumer can
/// decode its messages on its own thread.
///
/// `@unchecked Sendable` is safe because one owner writes at a time, and only behind what others may read: the link's queue
/// behind what it has handed out, or, where a run has one for its copies, whoever owns the run.
final class ReceiveChunk: @unchecked Sendable {
    let base: UnsafeMutableRawPointer
    let capacity: Int

    init(capacity: Int) {
        self.capacity = capacity
        base = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit { base.deallocate() }
}

/// The bytes received that are not whole frames yet, in a chunk that always has room for the largest frame.
struct ReceiveBuffer {
    private(set) var chunk: ReceiveChunk
    /// Chunks that were handed out, to be used again once nobody holds them: fresh memory has its pages cleared first.
    private var handedOut: [ReceiveChunk] = []
    /// Where in the chunk the bytes begin that were not consumed.
    private(set) var start = 0
    private var end = 0

    private static let firstCapacity = 16 * 1024
    /// Room for a frame of 128 KiB that begins behind a part of a read.
    private static let capacity = 192 * 1024
    /// More than this is not consumed only while a content header comes that is larger than frames are to be.
    private static let mostUsual = 144 * 1024
    /// What is read at once: so many messages stay in the processor's cache until they are consumed.
    static let mostRead = 64 * 1024

    /// How many chunks are kept for use again.
    private static let mostHandedOut = 4

    init() { chunk = ReceiveChunk(capacity: Self.firstCapacity) }

    /// What was received and not yet consumed.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: chunk.base + start, count: end - start) }

    /// Where to receive to. Never empty while whole frames are consumed.
    mutating func room() -> UnsafeMutableRawBufferPointer {
        let isShared = !isKnownUniquelyReferenced(&chunk)
        if start == end, !isShared {
            if chunk.capacity > Self.capacity { chunk = freeChunk() }
            start = 0
            end = 0
        }
        if chunk.capacity - end < min(chunk.capacity / 4, Self.mostRead / 4) { makeRoom(isShared: isShared) }
        return UnsafeMutableRawBufferPointer(start: chunk.base + end, count: min(chunk.capacity - end, Self.mostRead))
    }

    /// Moves what was not consumed to the beginning: of this chunk, or of a new one if somebody holds this one.
    private mutating func makeRoom(isShared: Bool) {
        let count = end - start
        if isShared || count > chunk.capacity / 2 || chunk.capacity > Self.capacity {
            let next = count > Self.mostUsual ? ReceiveChunk(capacity: 2 * count) : freeChunk()
            next.base.copyMemory(from: chunk.base + start, byteCount: count)
            if chunk.capacity == Self.capacity { handedOut.append(chunk) }
            chunk = next
        } else {
            chunk.base.copyMemory(from: chunk.base + start, byteCount: count)
        }
        start = 0
        end = count
    }

    private mutating func freeChunk() -> ReceiveChunk {
        for index in handedOut.indices where isKnownUniquelyReferenced(&handedOut[index]) {
            return handedOut.remove(at: index)
        }
        if handedOut.count == Self.mostHandedOut { handedOut.removeFirst() }
        return ReceiveChunk(capacity: Self.capacity)
    }

    /// Whether chunks are kept for use again, or one that was larger than usual is.
    var hasSpareMemory: Bool { !handedOut.isEmpty || isTooLarge }

    /// Whether the chunk was made for a content header that was larger than usual, which has come. The next read would leave
    /// it, which may be long after.
    private var isTooLarge: Bool { chunk.capacity > Self.capacity && end - start <= Self.mostUsual }

    /// Gives back memory that a busy time has left, while nothing comes.
    mutating func trim() {
        handedOut = []
        guard isTooLarge else { return }
        if start == end {
            chunk = ReceiveChunk(capacity: Self.firstCapacity)
            start = 0
            end = 0
        } else {
            makeRoom(isShared: true)
        }
    }

    mutating func received(_ count: Int) { end += count }

    mutating func consume(_ count: Int) { start += count }
}
