/// How a queue is consumed.
///
/// ```swift
/// let deliveries = try await queue.consume(options: ConsumerOptions(priority: 10))
/// ```
public struct ConsumerOptions: Sendable, Hashable {
    /// A name for the consumer, unique on its channel, at most 255 bytes of UTF-8; made up if nil.
    public var tag: String?

    /// Whether not to get what this connection published; false by default. RabbitMQ ignores it.
    public var noLocal: Bool

    /// Whether messages need no acknowledgement; false by default.
    public var noAck: Bool

    /// Whether no other consumer may use the queue; false by default.
    public var exclusive: Bool

    /// The priority over the queue's other consumers: `x-priority`; 0 if nil. Those with lower ones get messages only
    /// while those with higher ones can take no more.
    ///
    /// RabbitMQ: [Consumer priorities](https://www.rabbitmq.com/docs/consumer-priority).
    public var priority: Int32?

    /// Where in a stream the consumer begins; nil for queues that are none, and for the broker's default.
    public var streamOffset: StreamOffset?

    /// Further arguments. They win over those that the other properties give.
    public var arguments: Table

    /// Makes options with defaults for everything that is not given.
    ///
    /// - Parameters:
    ///   - tag: A name for the consumer; made up if nil.
    ///   - noLocal: Whether not to get what this connection published.
    ///   - noAck: Whether messages need no acknowledgement.
    ///   - exclusive: Whether no other consumer may use the queue.
    ///   - priority: The priority over the queue's other consumers.
    ///   - streamOffset: Where in a stream the consumer begins.
    ///   - arguments: Further arguments.
    public init(
        tag: String? = nil,
        noLocal: Bool = false,
        noAck: Bool = false,
        exclusive: Bool = false,
        priority: Int32? = nil,
        streamOffset: StreamOffset? = nil,
        arguments: Table = [:]
    ) {
        self.tag = tag
        self.noLocal = noLocal
        self.noAck = noAck
        self.exclusive = exclusive
        self.priority = priority
        self.streamOffset = streamOffset
        self.arguments = arguments
    }

    /// What goes over the wire as `basic.consume`'s arguments.
    var table: Table {
        var table: Table = [:]
        if let priority { table["x-priority"] = .int32(priority) }
        if let streamOffset { table["x-stream-offset"] = streamOffset.value }
        return table.merging(arguments) { _, given in given }
    }

    /// Refuses what can't work, before anything is sent.
    ///
    /// - Parameter prefetchCount: The channel's limit for the consumer, 0 for none.
    func validate(prefetchCount: UInt16) throws(AMQPError) {
        guard let streamOffset else { return }
        try streamOffset.validate()
        guard !noAck, prefetchCount > 0 else {
            throw AMQPError(
                .invalidArgument,
                "a stream's consumer needs acknowledgements, and a prefetch limit (setQos)"
            )
        }
    }
}
