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
    /// A stream keeps its messages and can take none back: there each way is to acknowledge. A message that has a
    /// ``Message/streamOffset`` counts as a stream's if the queue's type isn't known, which is logged: a queue that gets
    /// messages out of streams and is none should be declared with its type.
    ///
    /// - Parameter disposition: What becomes of it.
    /// - Throws: What ``ack(multiple:)`` throws.
    public func settle(_ disposition: Disposition) throws(AMQPError) {
        switch isFromStream ? .acknowledge : disposition.kind {
        case .acknowledge:
            try ack()
            if source.isStream == nil, disposition != .acknowledge { warn(disposition) }
        case .requeue: try reject(requeue: true)
        case .deadLetter: try reject(requeue: false)
        }
    }

    private func warn(_ disposition: Disposition) {
        source.session.link.logger.warning(
            "a message was acknowledged because it seems to be a stream's: \(Self.cure)",
            metadata: [
                "consumer-tag": "\(consumerTag ?? "")", "delivery-tag": "\(deliveryTag)",
                "disposition": "\(disposition)",
            ]
        )
    }
}
