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
    /// A stream keeps its messages and can take none back: there each way is to acknowledge. Declare streams with their
    /// type, or consume them with a ``ConsumerOptions/streamOffset``: one that isn't known to be a stream is settled as any
    /// other queue, for which RabbitMQ before 4.0 closes the connection.
    ///
    /// - Parameter disposition: What becomes of it.
    /// - Throws: What ``reject(requeue:)`` throws.
    public func settle(_ disposition: Disposition) throws(AMQPError) {
        if source.isStream == true || disposition == .acknowledge { return try ack() }
        try reject(requeue: disposition == .requeue)
    }
}
