internal import DequeModule
internal import Synchronization

/// Deliveries that came together for one consumer, mostly not decoded yet: copies of their frames, one behind the other;
/// then where others lie in the chunk that they were received into; then those that came in several pieces, decoded.
///
/// The consumer decodes on its own thread, one by one: what is allocated for a message is then allocated and freed by
/// the same thread, and the link's queue is free to read on.
///
/// `@unchecked Sendable` is safe because a run has one owner at a time: the link's queue fills it and hands it over
/// through the buffer's lock, the consumer empties it and hands it back the same way. For the same reason the exclusivity
/// of its parts need not be checked at run time, once or twice a message. ``deliveryTags`` can be read under the
/// buffer's lock while the consumer takes messages: of what it reads, only the count of those taken changes then.
final class DeliveryRun: @unchecked Sendable {
    private struct Parts {
        /// Whose deliveries they are; nil while nobody has begun to fill it.
        var source: DeliverySource?
        /// Memory for copies of frames, while there are any.
        var copies: ReceiveChunk?
        /// How much of it was used the last time.
        var lastCopied = 0
        /// Where the copies begin that were not taken, and where the last of them ends.
        var position = 0
        var copied = 0
        /// What the offsets count in.
        var chunk: ReceiveChunk?
        /// Where that begins. To ask the chunk itself would change its reference count with every message, on both threads
        /// (consume 0.370 -> 0.335 us with the like of it in ``ConsumerIntake``; `rmq perf consume`).
        var base: UnsafeRawPointer?
        var offsets: ContiguousArray<Int32> = []
        var index = 0
        /// How many bytes are in the chunk.
        var uncopied = 0
        var decoded: Deque<IncomingMessage> = []
        /// The tags of the decoded messages, also of those that were taken.
        var decodedTags: [UInt64] = []
        /// About how many bytes of memory all takes.
        var footprint = 0
    }

    private let chunks: ChunkShelf
    @exclusivity(unchecked) private var parts = Parts()
    /// How many messages were taken. Only one thread writes it, with plain loads and stores: it costs no more than a variable
    /// without atomics.
    private let taken = Atomic(0)

    /// Frames of fewer bytes are copied: they would keep a whole chunk for little.
    static let fewestUncopied = 32 * 1024

    private static let mostAbsorbed = 256 * 1024

    /// - Parameter chunks: Where to take memory for copies.
    init(chunks: ChunkShelf) { self.chunks = chunks }

    var isEmpty: Bool {
        parts.position == parts.copied && parts.index == parts.offsets.count && parts.decoded.isEmpty
    }

    /// Whose deliveries they are. The consumer may have another one since.
    var source: DeliverySource? { parts.source }

    /// Begins to fill it. It is mostly filled for the same source as before, and then nothing is stored: that would change the
    /// source's reference count, which the queue's thread and the consumer's take from each other.
    func begin(_ source: DeliverySource) {
        if parts.source !== source { parts.source = source }
    }

    /// Memory for copies of frames, while there are any.
    var copies: ReceiveChunk? { parts.copies }

    /// Where the last of the copies ends.
    var copied: Int { parts.copied }

    /// About how many bytes of memory it takes.
    var footprint: Int { parts.footprint }

    /// Appends where a delivery lies.
    ///
    /// - Returns: Whether it goes with what is in the run already.
    @inline(__always)
    func append(_ chunk: ReceiveChunk, _ frames: Range<Int>) -> Bool {
        guard parts.decoded.isEmpty else { return false }
        if parts.base != UnsafeRawPointer(chunk.base) {
            copyIfSmall()
            guard parts.base == nil, parts.copied < Self.fewestUncopied else { return false }
            parts.chunk = chunk
            parts.base = UnsafeRawPointer(chunk.base)
        }
        parts.offsets.append(Int32(truncatingIfNeeded: frames.lowerBound))
        parts.uncopied += frames.count + Message.overhead
        parts.footprint += frames.count + Message.overhead
        return true
    }

    /// Appends a message.
    func append(_ message: IncomingMessage) {
        parts.decoded.append(message)
        parts.decodedTags.append(message.deliveryTag)
        parts.footprint += message.message.footprint
    }

    /// Notes copies that were put behind the others, into ``copies``.
    ///
    /// - Parameters:
    ///   - end: Where the last of them ends.
    ///   - bytes: About how much memory they take.
    func appended(upTo end: Int, footprint bytes: Int) {
        parts.copied = end
        parts.footprint += bytes
    }

    /// Copies frames that are not worth keeping a chunk for. What keeps one counts as what was received at once, at
    /// least: the rest of the chunk may be other consumers'.
    func copyIfSmall() {
        guard let base = parts.base, let chunk = parts.chunk else { return }
        // One that had to hold a content header beyond frame_max may be ten times as large as others: in proportion.
        let fewest = max(Self.fewestUncopied, chunk.capacity / 6)
        guard parts.uncopied < fewest else {
            let least = max(ReceiveBuffer.mostRead, chunk.capacity / 3)
            parts.footprint += max(0, least - parts.uncopied)
            parts.uncopied = max(parts.uncopied, least)
            return
        }
        for offset in parts.offsets[parts.index...] {
            let frames = base + Int(offset)
            copy(frames, DeliveryDecoder.size(frames))
        }
        removeChunk()
    }

    private func removeChunk() {
        parts.chunk = nil
        parts.base = nil
        parts.uncopied = 0
        parts.index = 0
        parts.offsets.removeAll(keepingCapacity: parts.offsets.count < 4096)
    }

    /// Takes the messages of another run in, if neither keeps a chunk. Up to 256 KiB: a consumer takes a whole run, and what it
    /// has taken is not counted by the gauge any more, so that runs without limit would be memory without limit.
    func absorb(_ other: DeliveryRun) -> Bool {
        guard parts.base == nil, other.parts.base == nil, footprint + other.footprint <= Self.mostAbsorbed,
            parts.source === other.parts.source
        else { return false }
        if let frames = other.copies, other.parts.position < other.copied {
            let count = other.copied - other.parts.position
            guard parts.decoded.isEmpty, copied + count <= copies?.capacity ?? Self.fewestUncopied else { return false }
            copy(frames.base + other.parts.position, count)
        }
        parts.decoded.append(contentsOf: other.parts.decoded)
        parts.decodedTags += other.parts.decodedTags
        parts.footprint += other.footprint
        other.clear()
        return true
    }

    /// Copies frames behind those copied before.
    private func copy(_ frames: UnsafeRawPointer, _ count: Int) {
        makeRoom(for: count).copyMemory(from: frames, byteCount: count)
        parts.copied += count
    }

    /// Makes room behind what was copied before.
    ///
    /// - Returns: Where it begins.
    @discardableResult
    func makeRoom(for count: Int) -> UnsafeMutableRawPointer {
        if let copies, parts.copied + count <= copies.capacity { return copies.base + copied }
        let needed = parts.copied + count
        let larger = chunks.take(copies == nil ? max(needed, min(parts.lastCopied, Self.fewestUncopied)) : needed * 2)
        if let copies {
            larger.base.copyMemory(from: copies.base, byteCount: parts.copied)
            chunks.put(copies)
        }
        parts.copies = larger
        return larger.base + copied
    }

    @inline(__always)
    func popFirst(_ decoder: DeliveryDecoder) throws(AMQPError) -> IncomingMessage? {
        guard let source = parts.source else { return nil }
        let message = try pop(source, decoder)
        if source.mayBeStream, let message { source.noteProgress(message) }
        return message
    }

    @inline(__always)
    private func pop(_ source: DeliverySource, _ decoder: DeliveryDecoder) throws(AMQPError) -> IncomingMessage? {
        taken.store(taken.load(ordering: .relaxed) + 1, ordering: .relaxed)
        if parts.position < parts.copied, let copies = parts.copies {
            let frames = UnsafeRawPointer(copies.base + parts.position)
            parts.position += DeliveryDecoder.size(frames)
            return try IncomingMessage(decoder.decode(frames), source: source)
        }
        guard let base = parts.base, parts.index < parts.offsets.count else { return parts.decoded.popFirst() }
        let offset = Int(parts.offsets[parts.index])
        parts.index += 1
        return try IncomingMessage(decoder.decode(base + offset), source: source)
    }

    /// The tags of the messages that are left.
    var deliveryTags: [UInt64] {
        var tags: [UInt64] = []
        if let copies {
            var next = 0
            while next < parts.copied {
                tags.append(DeliveryPeek.deliveryTag(copies.base + next))
                next += DeliveryDecoder.size(copies.base + next)
            }
        }
        if let base = parts.base { tags += parts.offsets.map { DeliveryPeek.deliveryTag(base + Int($0)) } }
        tags += parts.decodedTags
        return Array(tags.dropFirst(taken.load(ordering: .relaxed)))
    }

    func clear() {
        removeChunk()
        if let copies {
            parts.lastCopied = copied
            chunks.put(copies)
            parts.copies = nil
        }
        parts.position = 0
        parts.copied = 0
        parts.footprint = 0
        parts.decoded.removeAll(keepingCapacity: parts.decoded.count < 1024)
        parts.decodedTags.removeAll(keepingCapacity: parts.decodedTags.count < 1024)
        taken.store(0, ordering: .relaxed)
    }
}
