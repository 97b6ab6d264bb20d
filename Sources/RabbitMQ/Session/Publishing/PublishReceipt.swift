/// What publishing gives back: on a confirming channel, the message's one outcome to wait for, now or later, or never.
///
/// ```swift
/// try await channel.selectConfirms()
/// let receipt = try await exchange.publish(Message("x"), routingKey: "orders")
/// try await receipt.confirmed()
/// ```
///
/// A failure that nobody looks at is logged as an error.
public struct PublishReceipt: Sendable {
    let confirm: PendingConfirm?

    /// Waits until the broker has confirmed the message: taken it over for every queue it reached.
    ///
    /// RabbitMQ: [Publisher confirms](https://www.rabbitmq.com/docs/confirms#publisher-confirms).
    ///
    /// - Parameter timeout: How long to wait; the configuration's `callTimeout` by default.
    /// - Throws: An ``AMQPError``: ``AMQPError/Code/undeliverable`` if the message was mandatory and reached no queue
    ///   (with ``AMQPError/returned``), ``AMQPError/Code/nacked`` if the broker refused it, the broker's error if it
    ///   closed the channel over this message, ``AMQPError/Code/outcomeUnknown`` if channel or connection ended for
    ///   another reason before the broker said anything (that reason is ``AMQPError/underlying``; so are other messages
    ///   on a channel that was closed over one of them), ``AMQPError/Code/timedOut``, ``AMQPError/Code/unsupported`` if
    ///   the channel doesn't confirm; `CancellationError`, which ends this wait only.
    public func confirmed(timeout: Duration? = nil) async throws {
        guard let confirm else { throw Self.notConfirming }
        try await confirm.wait(timeout: timeout)
    }

    /// What has become of the message; nil as long as the broker hasn't said, or if the channel doesn't confirm.
    public var outcome: Result<Void, AMQPError>? { confirm?.outcome }

    private static var notConfirming: AMQPError {
        AMQPError(.unsupported, "the channel doesn't confirm: call selectConfirms() before publishing")
    }
}
