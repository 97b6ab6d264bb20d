internal import Logging

/// What becomes of a delivery.
public struct Disposition: Hashable, Sendable, CustomStringConvertible {
    enum Kind: Sendable {
        case acknowledge, requeue, deadLetter
    }

    let kind: Kind

    /// It is done with: `basic.ack`.
    public static let acknowledge = Disposition(kind: .acknowledge)

    /// The broker delivers it again, to whomever: `basic.reject` with `requeue`.
    public static let requeue = Disposition(kind: .requeue)

    /// It goes to the queue's dead-letter exchange, or is dropped if there is none: `basic.reject` without `requeue`.
    public static let deadLetter = Disposition(kind: .deadLetter)

    /// `acknowledge`, `requeue` or `deadLetter`.
    public var description: String { String(describing: kind) }
}

extension IncomingMessage {
    /// Settles the message in one of the three ways.
    ///
    /// A stream keeps its messages and can take none back: there each way is to acknowledge. Of a queue whose type isn't
    /// known, a message that has a ``Message/streamOffset`` can't be rejected: if the queue is a stream, RabbitMQ would
    /// close the connection, and if it is none, acknowledging would lose the message. It stays unsettled, which is logged.
    /// Declare such a queue with its type.
    ///
    /// - Parameter disposition: What becomes of it.
    /// - Throws: What ``reject(requeue:)`` throws.
    public func settle(_ disposition: Disposition) throws(AMQPError) {
        if source.isStream == true || disposition == .acknowledge { return try ack() }
        if isFromStream { warn(disposition) }
        try reject(requeue: disposition == .requeue)
    }

    private func warn(_ disposition: Disposition) {
        source.session.link.logger.warning(
            "a message stays unsettled because its queue may be a stream: \(Self.cure)",
            metadata: [
                "consumer-tag": "\((consumerTag ?? "").printable())", "delivery-tag": "\(deliveryTag)",
                "disposition": "\(disposition)",
            ]
        )
    }
}
