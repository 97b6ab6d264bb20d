internal import Synchronization

/// A queue's binding to an exchange. Made by ``Queue/bind(to:routingKey:noWait:arguments:)``.
public final class QueueBinding: Sendable {
    /// The queue that gets messages.
    public let queue: Queue

    /// The exchange they come from.
    public let exchange: Exchange

    /// The routing key of the binding.
    public let routingKey: String

    /// The arguments of the binding.
    public let arguments: Table

    private let isDeleted = Atomic<Bool>(false)

    init(queue: Queue, exchange: Exchange, routingKey: String, arguments: Table) {
        self.queue = queue
        self.exchange = exchange
        self.routingKey = routingKey
        self.arguments = arguments
    }

    /// Removes the binding (AMQP 0-9-1, section 1.7.2.5).
    ///
    /// - Parameter arguments: The arguments that name the binding to the broker; those it was made with by default.
    /// - Throws: ``AMQPError/Code/deleted`` the second time; other ``AMQPError``s; `CancellationError`.
    public func unbind(arguments: Table? = nil) async throws {
        if isDeleted.load(ordering: .relaxed) {
            throw AMQPError(.deleted, "the binding of \(queue.name) to \(exchange.name) was removed")
        }
        try queue.requireNotDeleted()
        let binding = ClientMethod.Binding(
            destination: queue.name,
            source: exchange.name,
            routingKey: routingKey,
            arguments: arguments ?? self.arguments
        )
        _ = try await queue.channel.session.call(.queueUnbind(binding))
        isDeleted.store(true, ordering: .relaxed)
        queue.channel.connection.topology.remove(binding, from: .queue)
    }
}
