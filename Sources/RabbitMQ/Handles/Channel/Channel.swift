/// A channel: a conversation with the broker within a ``Connection``.
///
/// Channels are cheap; use one for each task that consumes or publishes. What goes wrong on one, such as declaring a
/// queue that exists with other flags, closes it and leaves the others alone.
///
/// It is closed with ``close()``, or when nothing that belongs to it is held any more: queue, exchange, consumer,
/// message to be settled. AMQP 0-9-1, section 2.2.5.
public final class Channel: Sendable {
    /// The connection it belongs to.
    public let connection: Connection

    let core: ChannelCore
    let lease: ChannelLease

    /// The one at present, or the last one.
    var session: ChannelSession { core.session }

    init(_ core: ChannelCore, connection: Connection) {
        self.connection = connection
        self.core = core
        lease = ChannelLease(host: core, connection: connection.lease)
    }

    /// Its number on the connection, from 1.
    public var number: Int { Int(core.number) }

    /// Whether it is open, or is opened anew with its connection. It may end at any moment: to be sure that something was done,
    /// look at what doing it threw.
    public var isOpen: Bool { closeReason == nil }

    /// Why the channel is closed; nil while it is open.
    public var closeReason: AMQPError? { core.closeReason }

    /// Waits for the end of the channel, and says why it has ended.
    ///
    /// - Throws: `CancellationError`, which leaves the channel as it is.
    public var closed: AMQPError {
        get async throws { try await core.closed.wait() }
    }

    /// Limits how much the broker sends to consumers before they have acknowledged it.
    ///
    /// What was sent, and not seen when its consumer ends, goes back to its queue. Quorum queues have a limit to how often a
    /// message is delivered, 20 by default from RabbitMQ 4.0 on (``QueueArguments/deliveryLimit``). From 4.3 on what nobody
    /// has seen doesn't count, unless connection or process are lost; in 4.0 to 4.2 each return counts: where consumers come
    /// and go often there, such as one for each message, limit to what each will take, and be it 1.
    ///
    /// RabbitMQ: [Consumer prefetch](https://www.rabbitmq.com/docs/consumer-prefetch).
    ///
    /// - Parameters:
    ///   - prefetchSize: In bytes, 0 for no limit. RabbitMQ knows no other.
    ///   - prefetchCount: In messages, 0 for no limit.
    ///   - global: With RabbitMQ, whether the limit is for all consumers of the channel together, not for each that
    ///     begins after this. A limit for each lifts the one for all. RabbitMQ 4.3 and later deny it unless configured,
    ///     and give the limit to each consumer; the library logs a warning then.
    /// - Throws: An ``AMQPError``; `CancellationError`.
    public func setQos(prefetchSize: UInt32 = 0, prefetchCount: UInt16 = 0, global: Bool = false) async throws {
        if global, prefetchCount > 0 { connection.advice.limitingTogether(channel: core.number) }
        try await core.limit(ChannelSetup.Prefetch(size: prefetchSize, count: prefetchCount), global: global)
    }

    /// Sets what is called with each mandatory message that comes back because it reached no queue.
    ///
    /// - Parameter handler: Called in order, one at a time. nil restores the default, which logs an error. It is kept
    ///   until the channel is closed, or the connection has ended, so that it is there again after ``reopen()``: one that
    ///   holds the channel keeps it open until it is closed.
    public func setReturnHandler(_ handler: (@Sendable (ReturnedMessage) -> Void)?) {
        core.setReturnHandler(handler)
    }

    /// Opens the channel again after the broker has closed it for a reason that does not pass by itself: what was declared
    /// otherwise than it exists, a queue or an exchange that is missing, a permission that lacks.
    ///
    /// Its handles can be used again then: queues, exchanges, bindings. It has its prefetch limits again, its confirms or
    /// transactions, what ``setReturnHandler(_:)`` was given; ``closed`` waits for the next end. Consumers that ended with it
    /// stay ended, and so do ``returnedMessages``; what was delivered before can't be settled.
    ///
    /// ```swift
    /// do {
    ///     try await channel.declareQueue("orders", passive: true)
    /// } catch AMQPError.Code.notFound {
    ///     try await channel.reopen()
    ///     try await channel.declareQueue("orders")
    /// }
    /// ```
    ///
    /// A channel that is open stays as it is: this does nothing, and where the channel is opened anew after a lost connection
    /// it waits for that. Of several tasks that call it one opens the channel for all; if that one is cancelled, it is opened for
    /// the others all the same. One that the application has closed stays closed: others may rely on it.
    ///
    /// - Throws: ``AMQPError/Code/channelClosed`` if ``close()`` was called; the reason, if the connection has ended;
    ///   ``AMQPError/Code/tooManyChannels``; ``AMQPError/Code/timedOut``; other ``AMQPError``s; `CancellationError`.
    public func reopen() async throws {
        try Task.checkCancellation()
        try await core.revive()
    }

    /// Closes the channel with a handshake.
    ///
    /// Calls that wait, and later ones, throw ``AMQPError/Code/channelClosed``. Closing twice does nothing. It waits for the
    /// broker's answer also in a task that is cancelled, but no longer than the configuration's `closeTimeout`.
    public func close() async {
        await core.close()
    }
}
