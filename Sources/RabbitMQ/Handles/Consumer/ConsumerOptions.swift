/// How a queue is consumed.
///
/// ```swift
/// let deliveries = try await queue.consume(ConsumerOptions(priority: 10))
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

    /// Which of a stream's messages the consumer asks for; nil for all of them, and for queues that are no streams.
    public var streamFilter: StreamFilter?

    /// How long the consumer may keep a message of a quorum queue unsettled, in place of what the queue says
    /// (``QueueArguments/consumerTimeout``), `x-consumer-timeout`: whole milliseconds, rounded up, from 1 to 10 years. From
    /// RabbitMQ 4.3; earlier ones ignore it.
    ///
    /// RabbitMQ: [Consumer timeout](https://www.rabbitmq.com/docs/quorum-queues#consumer-timeout).
    public var timeout: Duration?

    /// Further arguments. They win over those that the other properties give.
    public var arguments: FieldTable

    /// Makes options with defaults for everything that is not given.
    ///
    /// - Parameters:
    ///   - tag: A name for the consumer; made up if nil.
    ///   - noLocal: Whether not to get what this connection published.
    ///   - noAck: Whether messages need no acknowledgement.
    ///   - exclusive: Whether no other consumer may use the queue.
    ///   - priority: The priority over the queue's other consumers.
    ///   - streamOffset: Where in a stream the consumer begins.
    ///   - streamFilter: Which of a stream's messages the consumer asks for.
    ///   - timeout: How long the consumer may keep a message of a quorum queue unsettled.
    ///   - arguments: Further arguments.
    public init(
        tag: String? = nil,
        noLocal: Bool = false,
        noAck: Bool = false,
        exclusive: Bool = false,
        priority: Int32? = nil,
        streamOffset: StreamOffset? = nil,
        streamFilter: StreamFilter? = nil,
        timeout: Duration? = nil,
        arguments: FieldTable = [:]
    ) {
        self.tag = tag
        self.noLocal = noLocal
        self.noAck = noAck
        self.exclusive = exclusive
        self.priority = priority
        self.streamOffset = streamOffset
        self.streamFilter = streamFilter
        self.timeout = timeout
        self.arguments = arguments
    }

    /// Without acknowledgement, and with defaults for everything else.
    public static let noAck = ConsumerOptions(noAck: true)

    static let timeoutKey = "x-consumer-timeout"

    /// What goes over the wire as `basic.consume`'s arguments.
    var table: FieldTable {
        var table = streamFilter?.table ?? [:]
        if let priority { table["x-priority"] = .int32(priority) }
        if let streamOffset { table["x-stream-offset"] = streamOffset.value }
        if let timeout { table[Self.timeoutKey] = .int64(timeout.wholeMilliseconds) }
        return table.merging(arguments) { _, given in given }
    }

    /// Refuses what can't work, before anything is sent.
    ///
    /// - Parameter prefetchCount: The channel's limit for the consumer, 0 for none.
    func validate(prefetchCount: UInt16) throws(AMQPError) {
        let table = table
        if let problem = StreamFilter.problem(table) ?? Self.timeoutProblem(table) {
            throw AMQPError(.invalidArgument, problem)
        }
        if let streamOffset { try streamOffset.validate() }
        guard streamOffset != nil || streamFilter != nil else { return }
        guard !noAck, prefetchCount > 0 else {
            throw AMQPError(
                .invalidArgument,
                "a stream's consumer needs acknowledgements, and a prefetch limit (setQos)"
            )
        }
    }

    /// RabbitMQ cancels the consumer with each delivery at 0, and loses the whole queue, not only the connection, at numbers
    /// that its timers don't hold.
    private static func timeoutProblem(_ arguments: FieldTable) -> String? {
        guard let timeout = arguments[timeoutKey]?.clampedInt,
            !(1...QueueArgumentField.longestTime).contains(Int64(timeout))
        else { return nil }
        return "\(timeoutKey) is \(timeout) milliseconds; it must be from 1 to \(QueueArgumentField.longestTime)"
    }
}
