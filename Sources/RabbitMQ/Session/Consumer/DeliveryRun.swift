internal import DequeModule
internal import Synchronization

/// Deliveries that came together for one consumer, mostly not decoded yet: copies of their frames, one behind the other;
/// then where others lie in the chunk that they were received into; then those that came in several pieces, decoded.
///
/// The consumer decodes on its own thread, one by one: what is allocated for a message is then allocated and freed by
/// the same thread, and the link's queue is free to read on.
///
/// `@unchecked Sendable` is safe because a run has one owner at a time: the link's queue fills it and hands it over
/// through the buffer's lock, the consumer empties it and hands it back the same way. For the same reason its
/// properties' exclusivity need not be checked at run time, once or twice a message. ``deliveryTags`` can be read under the
/// buffer's lock while the consumer takes messages: of what it reads, only the count of those taken changes then.
final class DeliveryRun: @unchecked Sendable {
    private let chunks: ChunkShelf
    /// Memory for copies of frames, while there are any.
    @exclusivity(unchecked) private(set) var copies: ReceiveChunk?
    /// How much of it was used the last time.
    @exclusivity(unchecked) private var lastCopied = 0
    /// Where the copies begin that were not taken, and where the last of them ends.
    @exclusivity(unchecked) private var position = 0
    @exclusivity(unchecked) private(set) var copied = 0
    /// What the offsets count in.
    @exclusivity(unchecked) private var chunk: ReceiveChunk? {
        didSet { base = chunk.map { UnsafeRawPointer($0.base) } }
    }
    /// Where that begins: both threads would else count their use of the same chunk up and down with every message.
    @exclusivity(unchecked) private var base: UnsafeRawPointer?
    @exclusivity(unchecked) private var offsets: ContiguousArray<Int32> = []
    @exclusivity(unchecked) private var index = 0
    @exclusivity(unchecked) private var decoded: Deque<IncomingMessage> = []
    /// The tags of the decoded messages, also of those that were taken.
    @exclusivity(unchecked) private var decodedTags: [UInt64] = []
    /// How many messages were taken. Written by one thread, so that it costs no more than a plain variable.
    private let taken = Atomic(0)

    /// About how many bytes of memory it takes.
    @exclusivity(unchecked) private(set) var footprint = 0
    /// How many of them are in the chunk.
    @exclusivity(unchecked) private var uncopied = 0

    /// Frames of fewer bytes are copied: they would keep a whole chunk for little.
    static let fewestUncopied = 32 * 1024

    private static let mostAbsorbed = 256 * 1024

    /// - Parameter chunks: Where to take memory for copies.
    init(chunks: ChunkShelf) { self.chunks = chunks }

    var isEmpty: Bool { position == copied && index == offsets.count && decoded.isEmpty }

    /// Appends where a delivery lies.
    ///
    /// - Returns: Whether it goes with what is in the run already.
    @inline(__always)
    func append(_ chunk: ReceiveChunk, _ frames: Range<Int>) -> Bool {
        guard decoded.isEmpty else { return false }
        if base != UnsafeRawPointer(chunk.base) {
            releaseChunk()
            guard base == nil, copied < Self.fewestUncopied else { return false }
            self.chunk = chunk
        }
        offsets.append(Int32(truncatingIfNeeded: frames.lowerBound))
        uncopied += frames.count + Message.overhead
        footprint += frames.count + Message.overhead
        return true
    }

    /// Appends a message.
    func append(_ message: IncomingMessage) {
        decoded.append(message)
        decodedTags.append(message.deliveryTag)
        footprint += message.message.footprint
    }

    /// Notes copies that were put behind the others, into ``copies``.
    ///
    /// - Parameters:
    ///   - end: Where the last of them ends.
    ///   - bytes: About how much memory they take.
    func appended(upTo end: Int, footprint bytes: Int) {
        copied = end
        footprint += bytes
    }

    /// Copies frames that are not worth keeping a chunk for. What keeps one counts as what was received at once, at
    /// least: the rest of the chunk may be other consumers'.
    func releaseChunk() {
        guard let base else { return }
        guard uncopied < Self.fewestUncopied else {
            footprint += max(0, ReceiveBuffer.mostRead - uncopied)
            uncopied = max(uncopied, ReceiveBuffer.mostRead)
            return
        }
        for offset in offsets[index...] {
            let frames = base + Int(offset)
            copy(frames, DeliveryDecoder.size(frames))
        }
        removeChunk()
    }

    private func removeChunk() {
        chunk = nil
        uncopied = 0
        index = 0
        offsets.removeAll(keepingCapacity: offsets.count < 4096)
    }

    /// Takes the messages of another run in, if neither keeps a chunk. What is taken together is not counted any more by who
    /// bounds the memory: so not too much.
    func absorb(_ other: DeliveryRun) -> Bool {
        guard base == nil, other.base == nil, footprint + other.footprint <= Self.mostAbsorbed else { return false }
        if let frames = other.copies, other.position < other.copied {
            let count = other.copied - other.position
            guard decoded.isEmpty, copied + count <= copies?.capacity ?? Self.fewestUncopied else { return false }
            copy(frames.base + other.position, count)
        }
        decoded.append(contentsOf: other.decoded)
        decodedTags += other.decodedTags
        footprint += other.footprint
        other.clear()
        return true
    }

    /// Copies frames behind those copied before.
    private func copy(_ frames: UnsafeRawPointer, _ count: Int) {
        makeRoom(for: count).copyMemory(from: frames, byteCount: count)
        copied += count
    }

    /// Makes room behind what was copied before.
    ///
    /// - Returns: Where it begins.
    @discardableResult
    func makeRoom(for count: Int) -> UnsafeMutableRawPointer {
        if let copies, copied + count <= copies.capacity { return copies.base + copied }
        let needed = copied + count
        let larger = chunks.take(copies == nil ? max(needed, min(lastCopied, Self.fewestUncopied)) : needed * 2)
        if let copies {
            larger.base.copyMemory(from: copies.base, byteCount: copied)
            chunks.put(copies)
        }
        copies = larger
        return larger.base + copied
    }

    @inline(__always)
    func popFirst(_ source: DeliverySource, _ decoder: DeliveryDecoder) throws(AMQPError) -> IncomingMessage? {
        taken.store(taken.load(ordering: .relaxed) + 1, ordering: .relaxed)
        if position < copied, let copies {
            let frames = UnsafeRawPointer(copies.base + position)
            position += DeliveryDecoder.size(frames)
            return try IncomingMessage(decoder.decode(frames), source: source)
        }
        guard let base, index < offsets.count else { return decoded.popFirst() }
        let offset = Int(offsets[index])
        index += 1
        return try IncomingMessage(decoder.decode(base + offset), source: source)
    }

    /// The tags of the messages that are left.
    var deliveryTags: [UInt64] {
        var tags: [UInt64] = []
        if let copies {
            var next = 0
            while next < copied {
                tags.append(DeliveryPeek.deliveryTag(copies.base + next))
                next += DeliveryDecoder.size(copies.base + next)
            }
        }
        if let base { tags += offsets.map { DeliveryPeek.deliveryTag(base + Int($0)) } }
        tags += decodedTags
        return Array(tags.dropFirst(taken.load(ordering: .relaxed)))
    }

    func clear() {
        removeChunk()
        if let copies {
            lastCopied = copied
            chunks.put(copies)
            self.copies = nil
        }
        position = 0
        copied = 0
        footprint = 0
        decoded.removeAll(keepingCapacity: decoded.count < 1024)
        decodedTags.removeAll(keepingCapacity: decodedTags.count < 1024)
        taken.store(0, ordering: .relaxed)
    }
}
