internal import DequeModule

/// Deliveries that came together for one consumer: either decoded, or where they lie in a chunk that was received.
///
/// The consumer decodes the latter on its own thread, one by one: what is allocated for a message is then allocated and
/// freed by the same thread, and the link's queue is free to read on.
///
/// `@unchecked Sendable` is safe because a run has one owner at a time: the link's queue fills it and hands it over
/// through the buffer's lock, the consumer empties it and hands it back the same way.
final class DeliveryRun: @unchecked Sendable {
    private var decoded: Deque<IncomingMessage> = []
    private var chunk: ReceiveChunk?
    private var offsets: ContiguousArray<Int32> = []
    private var position = 0

    /// About how many bytes of memory it takes.
    private(set) var footprint = 0

    /// A run of fewer messages is decoded at once: it would keep a whole chunk for little.
    private static let fewestUndecoded = 16

    var isEmpty: Bool { position == offsets.count && decoded.isEmpty }

    /// Appends where a delivery lies.
    ///
    /// - Returns: Whether it goes with what is in the run already.
    @inline(__always)
    func append(_ chunk: ReceiveChunk, offset: Int, bodySize: Int) -> Bool {
        if self.chunk == nil, decoded.isEmpty { self.chunk = chunk }
        guard self.chunk === chunk else { return false }
        offsets.append(Int32(truncatingIfNeeded: offset))
        footprint += bodySize + IncomingMessage.overhead
        return true
    }

    /// Appends a message.
    ///
    /// - Returns: Whether it goes with what is in the run already.
    func append(_ message: IncomingMessage) -> Bool {
        guard chunk == nil else { return false }
        decoded.append(message)
        footprint += message.footprint
        return true
    }

    /// Takes the messages of another run in, if both are decoded.
    func absorb(_ other: DeliveryRun) -> Bool {
        guard chunk == nil, other.chunk == nil else { return false }
        decoded.append(contentsOf: other.decoded)
        footprint += other.footprint
        other.clear()
        return true
    }

    @inline(__always)
    func popFirst(_ source: DeliverySource, _ decoder: DeliveryDecoder) throws(AMQPError) -> IncomingMessage? {
        guard let chunk, position < offsets.count else { return decoded.popFirst() }
        let offset = Int(offsets[position])
        position += 1
        return IncomingMessage(try decoder.decode(chunk.base + offset), source: source)
    }

    /// Decodes what is not worth keeping a chunk for. What keeps one counts as what was received at once, at least: the
    /// rest of the chunk may be other consumers'.
    func settleForm(_ source: DeliverySource, _ decoder: DeliveryDecoder) throws(AMQPError) {
        guard let chunk else { return }
        guard offsets.count < Self.fewestUndecoded else {
            footprint = max(footprint, ReceiveBuffer.mostRead)
            return
        }
        for offset in offsets {
            decoded.append(IncomingMessage(try decoder.decode(chunk.base + Int(offset)), source: source))
        }
        self.chunk = nil
        offsets.removeAll(keepingCapacity: true)
    }

    /// The tags of the messages that are left.
    var deliveryTags: [UInt64] {
        guard let chunk else { return decoded.map(\.deliveryTag) }
        return offsets[position...].map { DeliveryPeek.deliveryTag(chunk.base + Int($0)) }
    }

    func clear() {
        chunk = nil
        position = 0
        footprint = 0
        offsets.removeAll(keepingCapacity: offsets.count < 4096)
        decoded.removeAll(keepingCapacity: decoded.count < 1024)
    }
}
