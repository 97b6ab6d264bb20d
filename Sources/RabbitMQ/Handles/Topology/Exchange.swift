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

    /// The channel's, at hand: to count one more use of what is reached through others would take longer than to encode a
    /// message.
    let port: PublishingPort
    /// Whether messages come back that reach no queue, if nothing else is said.
    let isMandatoryByDefault: Bool
    private let isDeleted = Atomic<Bool>(false)
    private let durations = LazyReference<DurationRecorder>()

    init(channel: Channel, name: String, type: ExchangeType, durable: Bool, autoDelete: Bool, `internal`: Bool) {
        self.channel = channel
        port = channel.core.port
        isMandatoryByDefault = type != .delayedMessage
        self.name = name
        self.type = type
        self.durable = durable
        self.autoDelete = autoDelete
        self.internal = `internal`
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

    /// What takes how long publishes take whose confirms are waited for; mostly nothing.
    var durationRecorder: DurationRecorder? {
        guard let meter = channel.connection.core.configuration.meter else { return nil }
        if let known = durations.load() { return known }
        return durations.storeIfNil(meter.publishing(to: name))
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
