public import RabbitMQ

/// Makes a ``/RabbitMQ/PublishReceipt`` without a connection, whose outcome the test sets when it likes.
///
/// ```swift
/// let maker = ReceiptMaker()
/// let waiting = Task { try await maker.receipt.confirmed() }
/// maker.fail(AMQPError(.nacked, "the disk is full"))
/// ```
public struct ReceiptMaker: Sendable {
    /// The receipt.
    public let receipt: PublishReceipt
    private let settle: @Sendable (AMQPError?) -> Void

    /// Makes a receipt without an outcome.
    public init() { (receipt, settle) = DetachedChannel().makeReceipt() }

    /// Sets the outcome: the broker has the message. The first outcome counts.
    public func confirm() { settle(nil) }

    /// Sets the outcome: why the message is not known to be with the broker. The first outcome counts.
    ///
    /// - Parameter error: Why.
    public func fail(_ error: AMQPError) { settle(error) }
}

extension PublishReceipt {
    /// A receipt of a message that the broker has confirmed.
    public static var ofConfirmed: PublishReceipt {
        let maker = ReceiptMaker()
        maker.confirm()
        return maker.receipt
    }

    /// A receipt of a message that is not known to be with the broker.
    ///
    /// - Parameter error: Why.
    /// - Returns: The receipt.
    public static func ofFailed(_ error: AMQPError) -> PublishReceipt {
        let maker = ReceiptMaker()
        maker.fail(error)
        return maker.receipt
    }
}
