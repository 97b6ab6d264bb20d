/// Finds and decodes deliveries whose three frames (basic.deliver, content header, one body frame) lie behind each other
/// in memory. Where they lie was checked when they were received; their content is checked here.
///
/// `@unchecked Sendable` is safe because one consumer at a time has it, from the shelf where it lies meanwhile. So nothing is
/// gained either by checking its memory's exclusivity at run time, which takes longer than what they are for.
final class DeliveryDecoder: @unchecked Sendable {
    private struct Memory: ~Copyable {
        var template = DeliveryTemplate()
        var headers = HeaderDecoder()
        var exchanges = TextCache()
        var routingKeys = TextCache()
    }

    /// A constant, whose use is not counted up and down with every message.
    private let methods = MethodDecoder()
    @exclusivity(unchecked) private var memory = Memory()

    /// The payload of the frame at `frame`.
    @inline(__always)
    static func payload(_ frame: UnsafeRawPointer) -> UnsafeRawBufferPointer {
        let size = UInt32(bigEndian: frame.loadUnaligned(fromByteOffset: 3, as: UInt32.self))
        return UnsafeRawBufferPointer(start: frame + 7, count: Int(size))
    }

    /// Decodes the delivery at `frame`.
    @inline(__always)
    func decode(_ frame: UnsafeRawPointer) throws(AMQPError) -> DecodedDelivery {
        let method = Self.payload(frame)
        let header = Self.payload(frame + method.count + FrameScanner.overhead)
        let body = Self.payload(frame + method.count + header.count + 2 * FrameScanner.overhead)
        if let delivery = memory.template.delivery(method: method, header: header, body: body) { return delivery }
        return try decode(method: method, header: header, body: body)
    }

    private func decode(
        method: UnsafeRawBufferPointer,
        header: UnsafeRawBufferPointer,
        body: UnsafeRawBufferPointer
    ) throws(AMQPError) -> DecodedDelivery {
        let delivery = try methods.deliver(method)
        let properties = try memory.headers.properties(header)
        let decoded = DecodedDelivery(
            message: memory.headers.message(properties, body: body),
            deliveryTag: delivery.deliveryTag,
            redelivered: delivery.redelivered,
            exchangeName: memory.exchanges.text(delivery.exchange),
            routingKey: memory.routingKeys.text(delivery.routingKey)
        )
        memory.template.keep(decoded, method: method, header: header)
        return decoded
    }

    /// How many bytes the three frames at `frame` take.
    @inline(__always)
    static func size(_ frame: UnsafeRawPointer) -> Int {
        let method = payload(frame).count + FrameScanner.overhead
        let header = payload(frame + method).count + FrameScanner.overhead
        return method + header + payload(frame + method + header).count + FrameScanner.overhead
    }
}

/// A delivery as it came over the wire, whoever it is for.
struct DecodedDelivery {
    let message: Message
    let deliveryTag: UInt64
    let redelivered: Bool
    let exchangeName: String
    let routingKey: String
}

/// What a channel needs to know of a delivery before anybody decodes it.
struct DeliveryPeek {
    var consumerTag: UnsafeBufferPointer<UInt8>
    var deliveryTag: UInt64
    /// Whether it was delivered before.
    var isRedelivered: Bool

    /// Reads the first three fields of a basic.deliver: a short string, a number and a bit (AMQP 0-9-1, section 1.8.3.9).
    @inline(__always)
    init?(_ payload: UnsafeRawBufferPointer) {
        guard payload.count > 5 else { return nil }
        let length = Int(payload[4])
        guard payload.count >= 5 + length + 8, let base = payload.baseAddress else { return nil }
        consumerTag = UnsafeBufferPointer(start: (base + 5).assumingMemoryBound(to: UInt8.self), count: length)
        deliveryTag = payload.bigEndian(UInt64.self, at: 5 + length)
        isRedelivered = payload.count > 13 + length && payload[13 + length] & 1 != 0
    }

    /// The tag of the delivery whose first frame is at `frame`; 0 if there is none.
    static func deliveryTag(_ frame: UnsafeRawPointer) -> UInt64 {
        DeliveryPeek(DeliveryDecoder.payload(frame))?.deliveryTag ?? 0
    }
}
