internal import DequeModule

/// Deliveries that came together for one consumer, mostly not decoded yet: where they lie in a chunk that was received,
/// or in a copy of their frames. Those that came in several pieces are decoded, and stand behind the others.
///
/// The consumer decodes on its own thread, one by one: what is allocated for a message is then allocated and freed by
/// the same thread, and the link's queue is free to read on.
///
/// `@unchecked Sendable` is safe because a run has one owner at a time: the link's queue fills it and hands it over
/// through the buffer's lock, the consumer empties it and hands it back the same way. For the same reason its
/// properties' exclusivity need not be checked at run time, once or twice a message.
final class DeliveryRun: @unchecked Sendable {
    /// What the offsets count in.
    @exclusivity(unchecked) private var chunk: ReceiveChunk? {
        didSet { base = chunk.map { UnsafeRawPointer($0.base) } }
    }
    /// Where that begins: both threads would else count their use of the same chunk up and down with every message.
    @exclusivity(unchecked) private var base: UnsafeRawPointer?
    /// Memory of its own, for copies of frames.
    @exclusivity(unchecked) private var copies: ReceiveChunk?
    @exclusivity(unchecked) private var copied = 0
    @exclusivity(unchecked) private var offsets: ContiguousArray<Int32> = []
    @exclusivity(unchecked) private var position = 0
    @exclusivity(unchecked) private var decoded: Deque<IncomingMessage> = []

    /// About how many bytes of memory it takes.
    @exclusivity(unchecked) private(set) var footprint = 0

    /// Frames of fewer bytes are copied: they would keep a whole chunk for little.
    private static let fewestUncopied = 32 * 1024
    /// A run of copies takes no more in than this many bytes.
    private static let mostCopied = 256 * 1024
    /// An empty run keeps no more memory than this: there may be thousands of consumers.
    private static let mostKept = 8 * 1024

    var isEmpty: Bool { position == offsets.count && decoded.isEmpty }

    /// Appends where a delivery lies.
    ///
    /// - Returns: Whether it goes with what is in the run already.
    @inline(__always)
    func append(_ chunk: ReceiveChunk, offset: Int, bodySize: Int) -> Bool {
        if base == nil, isEmpty { self.chunk = chunk }
        guard decoded.isEmpty else { return false }
        if base == UnsafeRawPointer(chunk.base) {
            offsets.append(Int32(truncatingIfNeeded: offset))
        } else {
            guard appendCopy(chunk.base + offset) else { return false }
        }
        footprint += bodySize + IncomingMessage.overhead
        return true
    }

    /// Appends a delivery from another chunk than the one before, if there is little as yet.
    private func appendCopy(_ frames: UnsafeRawPointer) -> Bool {
        releaseChunk()
        guard ownsChunk, copied < Self.fewestUncopied else { return false }
        offsets.append(copy(frames, DeliveryDecoder.size(frames)))
        chunk = copies
        return true
    }

    /// Appends a message.
    func append(_ message: IncomingMessage) {
        decoded.append(message)
        footprint += message.footprint
    }

    /// Copies frames that are not worth keeping a chunk for. What keeps one counts as what was received at once, at
    /// least: the rest of the chunk may be other consumers'.
    func releaseChunk() {
        guard let chunk, !ownsChunk else { return }
        guard footprint < Self.fewestUncopied else {
            footprint = max(footprint, ReceiveBuffer.mostRead)
            return
        }
        for index in offsets.indices {
            let frames = chunk.base + Int(offsets[index])
            offsets[index] = copy(frames, DeliveryDecoder.size(frames))
        }
        self.chunk = copies
    }

    /// Takes the messages of another run in, if neither keeps a chunk.
    func absorb(_ other: DeliveryRun) -> Bool {
        guard ownsChunk, other.ownsChunk else { return false }
        if let frames = other.chunk {
            guard decoded.isEmpty, copied + other.copied <= Self.mostCopied else { return false }
            let moved = copy(frames.base, other.copied)
            offsets.append(contentsOf: other.offsets.lazy.map { $0 + moved })
            chunk = copies
        }
        decoded.append(contentsOf: other.decoded)
        footprint += other.footprint
        other.clear()
        return true
    }

    private var ownsChunk: Bool { chunk == nil || chunk === copies }

    /// Copies bytes behind those copied before.
    ///
    /// - Returns: Where they are now.
    private func copy(_ bytes: UnsafeRawPointer, _ count: Int) -> Int32 {
        let start = copied
        copied += count
        if let copies, copied <= copies.capacity {
            copies.base.advanced(by: start).copyMemory(from: bytes, byteCount: count)
        } else {
            let larger = ReceiveChunk(capacity: max(2048, copied * 2))
            if let copies { larger.base.copyMemory(from: copies.base, byteCount: start) }
            larger.base.advanced(by: start).copyMemory(from: bytes, byteCount: count)
            copies = larger
        }
        return Int32(truncatingIfNeeded: start)
    }

    @inline(__always)
    func popFirst(_ source: DeliverySource, _ decoder: DeliveryDecoder) throws(AMQPError) -> IncomingMessage? {
        guard let base, position < offsets.count else { return decoded.popFirst() }
        let offset = Int(offsets[position])
        position += 1
        return try decoder.decode(base + offset, source: source)
    }

    /// The tags of the messages that are left.
    var deliveryTags: [UInt64] {
        guard let chunk else { return decoded.map(\.deliveryTag) }
        return offsets[position...].map { DeliveryPeek.deliveryTag(chunk.base + Int($0)) } + decoded.map(\.deliveryTag)
    }

    func clear() {
        chunk = nil
        position = 0
        footprint = 0
        offsets.removeAll(keepingCapacity: offsets.count < 4096)
        copied = 0
        if let copies, copies.capacity > Self.mostKept { self.copies = nil }
        decoded.removeAll(keepingCapacity: decoded.count < 1024)
    }
}
