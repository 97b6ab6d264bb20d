/// A message that a broker delivered, which is to be settled once: with ``ack(multiple:)``, ``reject(requeue:)`` or
/// ``nack(requeue:multiple:)``.
///
/// The properties of its ``message`` are its own too: `incoming.contentType` is `incoming.message.contentType`. One that was
/// absent on the wire is nil.
@dynamicMemberLookup
public struct IncomingMessage: Sendable {
    /// Body and properties.
    public let message: Message

    /// The number of the delivery on its channel, from 1 (AMQP 0-9-1, section 1.8.3.13).
    public let deliveryTag: UInt64

    /// Whether it was delivered before, to whomever, and not acknowledged.
    public let redelivered: Bool

    /// The name of the exchange it was published to; empty for the default exchange.
    public let exchangeName: String

    /// The routing key it was published with.
    public let routingKey: String

    let source: DeliverySource

    /// The tag of the consumer it was delivered to; nil if it was asked for with ``Queue/get(noAck:)``.
    public var consumerTag: String? { source.consumerTag }

    /// How many messages were ready in the queue behind one that was asked for with ``Queue/get(noAck:)``; nil for one that
    /// a consumer got.
    public var messagesLeft: Int? { source.messagesLeft }

    /// Whether its channel has gone, or was opened anew since: it can't be settled any more, and the broker delivers it
    /// again.
    public var isStale: Bool { !source.noAck && !source.session.isOpen }

    /// The content, as it came over the wire.
    public var body: [UInt8] { message.body }

    /// A property of ``message`` other than those that stand here by their names, as `timeToLive` and what your own extensions
    /// of ``Message`` add.
    public subscript<Value>(dynamicMember property: KeyPath<Message, Value>) -> Value { message[keyPath: property] }
}

extension IncomingMessage {
    @inline(__always)
    init(_ delivery: consuming DecodedDelivery, source: DeliverySource) {
        self.init(
            message: delivery.message,
            deliveryTag: delivery.deliveryTag,
            redelivered: delivery.redelivered,
            exchangeName: delivery.exchangeName,
            routingKey: delivery.routingKey,
            source: source
        )
    }

    /// Tells the broker that the message is done with.
    ///
    /// Returns at once: acknowledgements go out together with what else is sent, merged as far as possible; by themselves
    /// before the consumer waits for the next message, when an eighth of the prefetch limit has come together (of one below 64,
    /// eight, or half of it), or after 4 ms.
    /// A process that ends without closing its connection may leave these to be delivered again: ``Connection/flush(timeout:)``
    /// has them sent. AMQP 0-9-1, section 1.8.3.13.
    ///
    /// - Parameter multiple: Whether all earlier deliveries on the channel that are not settled are meant too.
    /// - Throws: ``AMQPError/Code/alreadySettled`` if it is settled already or needs no acknowledgement, and
    ///   ``AMQPError/Code/staleDelivery`` if its channel is gone for good: the broker will deliver it again. If the channel was
    ///   opened anew since (``isStale``), nothing is sent, and nothing thrown.
    @inline(__always)
    public func ack(multiple: Bool = false) throws(AMQPError) {
        try requireAcknowledgement()
        do throws(AMQPError) {
            try source.session.acknowledge(deliveryTag, multiple: multiple, from: source)
        } catch {
            try passOver(error)
            return
        }
        if source.mayBeStream { source.progress?.settled(deliveryTag, multiple: multiple, of: source) }
    }

    /// Refuses the message (AMQP 0-9-1, section 1.8.3.14).
    ///
    /// - Parameter requeue: Whether the broker is to deliver it again, to whomever. If not, it is dead-lettered where
    ///   its queue has a dead-letter exchange, and dropped elsewhere.
    /// - Throws: What ``ack(multiple:)`` throws; ``AMQPError/Code/unsupported`` for a message of a queue that is known to be a
    ///   stream. If it is one that was not declared as such, RabbitMQ before 4.0 closes the connection.
    public func reject(requeue: Bool = true) throws(AMQPError) {
        try requireAcknowledgement()
        try requireRejectable()
        try reject(requeue: requeue, multiple: false, usesNack: false)
    }

    /// Refuses one or several messages.
    ///
    /// RabbitMQ: [Negative acknowledgements](https://www.rabbitmq.com/docs/nack).
    ///
    /// - Parameters:
    ///   - requeue: Whether the broker is to deliver them again.
    ///   - multiple: Whether all earlier deliveries on the channel that are not settled are meant too.
    /// - Throws: What ``ack(multiple:)`` throws; ``AMQPError/Code/unsupported`` for a message of a queue that is known to be a
    ///   stream. If it is one that was not declared as such, RabbitMQ before 4.0 closes the connection.
    public func nack(requeue: Bool = true, multiple: Bool = false) throws(AMQPError) {
        try requireAcknowledgement()
        try requireRejectable()
        try reject(requeue: requeue, multiple: multiple, usesNack: true)
    }

    private func reject(requeue: Bool, multiple: Bool, usesNack: Bool) throws(AMQPError) {
        do throws(AMQPError) {
            try source.session.reject(deliveryTag, requeue: requeue, multiple: multiple, usesNack: usesNack)
        } catch {
            try passOver(error)
            return
        }
        // A stream takes it for an acknowledgement. If it did not count, all that follows would be kept in mind behind it.
        if source.mayBeStream { source.progress?.settled(deliveryTag, multiple: multiple, of: source) }
    }

    /// Passes over that a delivery's session has gone, if its channel goes on: there is nothing that could be sent.
    @inline(never)
    private func passOver(_ error: AMQPError) throws(AMQPError) {
        guard error.code == .staleDelivery else { throw error }
        source.session.tally.staleSettlements.add(1)
        guard source.lease.host.goesOn else { throw error }
    }

    @inline(__always)
    private func requireAcknowledgement() throws(AMQPError) {
        if source.noAck {
            throw AMQPError(.alreadySettled, "the message was delivered without acknowledgement (noAck)")
        }
    }

    /// RabbitMQ before 4.0 would close the whole connection.
    private func requireRejectable() throws(AMQPError) {
        guard source.isStream == true else { return }
        throw AMQPError(.unsupported, "a stream keeps its messages: they can be acknowledged, not rejected")
    }
}
