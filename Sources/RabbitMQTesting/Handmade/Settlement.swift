public import RabbitMQ

/// How a message was settled that a test has made: see ``SettlementRecorder``.
public struct Settlement: Sendable, Hashable, CustomStringConvertible {
    /// The message's ``/RabbitMQ/IncomingMessage/deliveryTag``.
    public let deliveryTag: UInt64

    /// What becomes of it.
    public let disposition: Disposition

    /// Such as `3: requeue`.
    public var description: String { "\(deliveryTag): \(disposition)" }
}
