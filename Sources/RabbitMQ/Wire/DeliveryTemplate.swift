/// What the delivery before said, for the next that says the same: mostly only tag and body differ, and to decode the rest
/// again costs more than all else (`rmq perf consume`).
struct DeliveryTemplate: ~Copyable {
    /// Exchange and routing key, as they came: of two short strings, no more.
    private var route = KeptBytes(longest: 512)
    private var exchangeName = ""
    private var routingKey = ""
    /// The properties as they came. Those of a message with long headers are seldom its neighbour's.
    private var properties = KeptBytes(longest: 2048)
    private var message: Message?

    /// Where exchange and routing key begin in a basic.deliver: behind class and method, the consumer's tag, the
    /// delivery's, and a byte with a flag (AMQP 0-9-1, section 1.8.3.9). nil if it is too short.
    @inline(__always)
    private static func route(_ method: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard method.count > 4 else { return nil }
        let offset = 14 + Int(method[4])
        guard offset < method.count else { return nil }
        return UnsafeRawBufferPointer(rebasing: method[offset...])
    }

    /// The properties in a content header: behind class, weight and size of the body (section 4.2.6.1).
    @inline(__always)
    private static func properties(_ header: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard header.count > HeaderDecoder.prefix else { return nil }
        return UnsafeRawBufferPointer(rebasing: header[HeaderDecoder.prefix...])
    }

    /// A delivery that came the same way as the one before, and has the same properties; nil if it has not.
    @inline(__always)
    func delivery(
        method: UnsafeRawBufferPointer,
        header: UnsafeRawBufferPointer,
        body: UnsafeRawBufferPointer
    ) -> DecodedDelivery? {
        guard let message, let route = Self.route(method), self.route.isSame(route),
            let properties = Self.properties(header), self.properties.isSame(properties),
            HeaderDecoder.isOfClass(header)
        else { return nil }
        let flags = method[method.count - route.count - 1]
        return DecodedDelivery(
            message: Message(
                body: [UInt8](copying: body),
                contentType: message.contentType,
                deliveryMode: message.deliveryMode,
                priority: message.priority,
                timestampSeconds: message.timestampSeconds,
                extras: message.extras
            ),
            deliveryTag: method.bigEndian(UInt64.self, at: method.count - route.count - 9),
            redelivered: flags & 1 != 0,
            exchangeName: exchangeName,
            routingKey: routingKey
        )
    }

    /// Notes what was decoded.
    mutating func keep(
        _ delivery: borrowing DecodedDelivery,
        method: UnsafeRawBufferPointer,
        header: UnsafeRawBufferPointer
    ) {
        message = nil
        guard let route = Self.route(method), let properties = Self.properties(header), self.route.keep(route),
            self.properties.keep(properties)
        else { return }
        (exchangeName, routingKey) = (delivery.exchangeName, delivery.routingKey)
        // Emptied before it is kept: in a noncopyable value, Swift 6.3 leaks what an assignment through an optional replaces.
        var message = delivery.message
        message.body = []
        self.message = message
    }
}
