internal import Synchronization

/// An exchange, to which messages are published and which routes them to queues.
///
/// Made by ``Channel/declareExchange(_:type:durable:autoDelete:internal:passive:noWait:arguments:)``,
/// or without asking the broker by ``Channel/exchange(_:type:)``.
public final class Exchange: Sendable {
    /// The channel it was declared on, which its calls use.
    public let channel: Channel

    /// Its name; empty for the default exchange.
    public let name: String

    /// How it routes.
    public let type: ExchangeType

    /// Whether it survives a restart of the broker.
    public let durable: Bool

    /// Whether it is deleted when the last queue is unbound from it.
    public let autoDelete: Bool

    /// Whether it can't be published to, only be bound to other exchanges.
    public let `internal`: Bool

    private let isDeleted = Atomic<Bool>(false)

    init(channel: Channel, name: String, type: ExchangeType, durable: Bool, autoDelete: Bool, `internal`: Bool) {
        self.channel = channel
        self.name = name
        self.type = type
        self.durable = durable
        self.autoDelete = autoDelete
        self.internal = `internal`
    }

    /// Publishes a message.
    ///
    /// Returns when the message is handed over to be sent, in the order of the calls; waits only while too much is
    /// waiting to be sent already or the broker takes no messages. AMQP 0-9-1, section 1.8.3.7.
    ///
    /// It is sent a moment later: if the process ends before, it is lost. ``Connection/close()`` sends everything,
    /// ``Connection/flush(timeout:)`` waits until the operating system has it, and a confirm says that the broker has it.
    ///
    /// - Parameters:
    ///   - message: What to publish.
    ///   - routingKey: By what the exchange routes it; at most 255 bytes of UTF-8. With the default exchange, the name of
    ///     the queue.
    ///   - mandatory: Whether the broker returns it if it reaches no queue: see ``Channel/setReturnHandler(_:)``.
    /// - Returns: On a confirming channel (``Channel/confirmSelect(maxUnconfirmed:)``), the message's outcome to wait for.
    /// - Throws: ``AMQPError/Code/invalidMessage`` or ``AMQPError/Code/invalidArgument`` for what can't be sent;
    ///   ``AMQPError/Code/deleted`` after ``delete(ifUnused:noWait:)``; ``AMQPError/Code/blockedTooLong`` after waiting for
    ///   the configuration's `publishTimeout`; the reason, if channel or connection are gone; `CancellationError`, in which
    ///   case nothing was sent: of messages that are published in a row, some may still be sent after the task was
    ///   cancelled, but never more than are written together.
    @inlinable
    @discardableResult
    public func publish(_ message: Message, routingKey: String, mandatory: Bool = true) async throws -> PublishReceipt {
        // Mostly there is nothing to wait for: in the caller's module, that costs no asynchronous call.
        if let receipt = try publishAtOnce(message, routingKey: routingKey, mandatory: mandatory) { return receipt }
        return try await publishWaiting(message, routingKey: routingKey, mandatory: mandatory)
    }

    @usableFromInline
    func publishAtOnce(_ message: borrowing Message, routingKey: String, mandatory: Bool) throws -> PublishReceipt? {
        try requireNotDeleted()
        // The channel, which this object holds, keeps its session: to count one more use of it would take longer than to
        // encode the message.
        return try Unmanaged.passUnretained(channel.session)._withUnsafeGuaranteedRef {
            try $0.publishAtOnce(message, exchange: name, routingKey: routingKey, mandatory: mandatory)
        }
    }

    @usableFromInline
    func publishWaiting(_ message: Message, routingKey: String, mandatory: Bool) async throws -> PublishReceipt {
        try Task.checkCancellation()
        return try await channel.session.publish(
            Publish(message: message, exchange: name, routingKey: routingKey, mandatory: mandatory)
        )
    }

    /// Deletes the exchange. Every later use of it throws ``AMQPError/Code/deleted``.
    ///
    /// - Parameters:
    ///   - ifUnused: Whether to do so only if nothing is bound to it.
    ///   - noWait: Whether not to wait for the broker. An error then closes the channel later.
    /// - Throws: ``AMQPError/Code/preconditionFailed`` if it is in use, which closes the channel;
    ///   ``AMQPError/Code/invalidExchangeName`` for the default exchange; other ``AMQPError``s; `CancellationError`.
    public func delete(ifUnused: Bool = true, noWait: Bool = false) async throws {
        try requireNotDeleted()
        try requireNotDefault()
        try await channel.request(.exchangeDelete(name: name, ifUnused: ifUnused, noWait: noWait), noWait: noWait)
        isDeleted.store(true, ordering: .relaxed)
        channel.connection.topology.removeExchange(name)
    }

    @inline(__always)
    func requireNotDeleted() throws(AMQPError) {
        if isDeleted.load(ordering: .relaxed) { throw AMQPError(.deleted, "the exchange \(name) was deleted") }
    }

    func requireNotDefault() throws(AMQPError) {
        guard !name.isEmpty else {
            throw AMQPError(.invalidExchangeName, "the default exchange can't be bound to, nor be deleted")
        }
    }
}
