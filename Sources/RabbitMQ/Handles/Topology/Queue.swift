internal import Synchronization

/// A queue, in which messages wait for consumers.
///
/// Made by ``Channel/declareQueue(_:durable:exclusive:autoDelete:passive:noWait:arguments:)``, or
/// without asking the broker by ``Channel/queue(_:)``.
public final class Queue: Sendable {
    /// The channel it was declared on, which its calls use.
    public let channel: Channel

    let identity: QueueIdentity

    /// What it was declared as, with the name that the broker made up if it did.
    var declared: Topology.Queue { identity.queue }

    /// How many messages were ready in it when it was declared.
    public let messageCount: Int

    /// How many consumers it had when it was declared.
    public let consumerCount: Int

    /// Where one publishes to it.
    let defaultExchange: Exchange

    private let isDeleted = Atomic<Bool>(false)

    init(channel: Channel, _ identity: QueueIdentity, messageCount: Int = 0, consumerCount: Int = 0) {
        self.channel = channel
        self.identity = identity
        defaultExchange = channel.defaultExchange
        self.messageCount = messageCount
        self.consumerCount = consumerCount
    }

    /// Its name: the one it was declared with, or the one that the broker made up, which is another one once the
    /// connection was lost and made again.
    public var name: String { identity.name }

    /// Whether it survives a restart of the broker.
    public var durable: Bool { declared.durable }

    /// Whether only this connection can use it. It is deleted with the connection, not with the channel.
    public var exclusive: Bool { declared.exclusive }

    /// Whether it is deleted when its last consumer is gone.
    public var autoDelete: Bool { declared.autoDelete }

    /// The arguments it was declared with.
    public var arguments: QueueArguments { declared.arguments }

    /// Asks for one message.
    ///
    /// To get many, ``consume(_:)`` is much cheaper. AMQP 0-9-1, section 1.8.3.10.
    ///
    /// - Parameter noAck: Whether the message needs no acknowledgement, and is lost if this task is cancelled meanwhile.
    /// - Returns: The message, or nil if the queue is empty.
    /// - Throws: ``AMQPError/Code/invalidArgument`` for a stream, which has none of this, before anything is sent; other
    ///   ``AMQPError``s; `CancellationError`, after which a message that comes goes back to the queue.
    public func get(noAck: Bool = false) async throws -> IncomingMessage? {
        try requireNotDeleted()
        try StreamRules.checkGet(type: type, queue: name)
        let start = MonotonicTime.now
        let (call, session) = try await channel.core.send { session throws(AMQPError) in
            let source = DeliverySource(
                session: session,
                lease: channel.lease,
                queue: name,
                consumerTag: nil,
                noAck: noAck,
                queueType: type,
                hasDeadLetterExchange: arguments.deadLetterExchange != nil,
                version: channel.connection.parameters.version
            )
            return try session.begin(.basicGet(queue: name, noAck: noAck), source: source)
        }
        switch try await session.answer(to: call, since: start) {
        case .message(let message):
            if !noAck { session.unsettled.begin(queue: name, session: session) }
            return message
        case .method: return nil
        }
    }

    /// Drops all messages that are ready.
    ///
    /// - Returns: How many there were.
    /// - Throws: ``AMQPError/Code/invalidArgument`` for a stream, before anything is sent; other ``AMQPError``s;
    ///   `CancellationError`.
    @discardableResult
    public func purge() async throws -> Int {
        try requireNotDeleted()
        try StreamRules.checkPurge(type: type, queue: name)
        guard case .method(.queuePurgeOk(let count)) = try await channel.core.call(.queuePurge(name: name)) else {
            throw ChannelSession.wrongAnswer
        }
        return Int(count)
    }

    func markDeleted() { isDeleted.store(true, ordering: .relaxed) }

    func requireNotDeleted() throws(AMQPError) {
        if isDeleted.load(ordering: .relaxed) { throw AMQPError(.deleted, "the queue \(name) was deleted") }
    }
}

extension Queue {
    /// The type it was declared with; nil if none was asked for, so that the virtual host's default counts.
    public var type: QueueType? { arguments.type }
}
