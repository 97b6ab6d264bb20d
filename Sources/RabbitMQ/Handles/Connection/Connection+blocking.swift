/// What a broker that is short of memory or disk says to publishers.
///
/// RabbitMQ: [Blocked connections](https://www.rabbitmq.com/docs/connection-blocked).
public struct BlockingEvent: Sendable, Hashable {
    /// Why it takes no messages, in its words; nil if it takes them again.
    public let reason: String?

    /// Whether it takes no messages.
    public var isBlocked: Bool { reason != nil }
}

extension Connection {
    /// Each time the broker stops taking messages, or takes them again (`connection.blocked`, `connection.unblocked`).
    ///
    /// Ends with the connection. While it is blocked, publishing waits, for the configuration's `publishTimeout` at the
    /// most; everything else goes on. The last 16 events are kept for a slow reader.
    public var blockingEvents: AsyncStream<BlockingEvent> {
        let (stream, continuation) = AsyncStream<BlockingEvent>.makeStream(bufferingPolicy: .bufferingNewest(16))
        let blocking = core.base.blocking
        let observer = BlockingObservers.Observer(
            changed: { reason in continuation.yield(BlockingEvent(reason: reason)) },
            ended: { continuation.finish() }
        )
        if let id = blocking.observe(observer) {
            continuation.onTermination = { _ in blocking.remove(id) }
        }
        return stream
    }
}
