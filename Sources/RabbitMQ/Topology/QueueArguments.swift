/// The arguments of a queue that RabbitMQ knows, with types.
///
/// Checked before anything is sent: a value that is out of range, or that the type of queue doesn't have, is
/// ``AMQPError/Code/invalidArgument``.
///
/// ```swift
/// let orders = try await channel.declareQueue(
///     "orders",
///     arguments: QueueArguments(type: .quorum, deadLetterExchange: "failed", deliveryLimit: 5)
/// )
/// ```
///
/// The types of queue that have an argument stand in brackets: c for classic, q for quorum, s for stream.
/// RabbitMQ: [Optional arguments](https://www.rabbitmq.com/docs/queues#optional-arguments). A policy can set most of
/// them too, and be changed while the queue exists; arguments can't.
public struct QueueArguments: Hashable, Sendable {
    /// What kind of queue it is, `x-queue-type`. nil for the virtual host's default, which mostly is classic.
    public var type: QueueType?

    /// The most messages that may be ready, `x-max-length`, from 0. [c q]
    public var maxLength: Int?

    /// The most bytes that the bodies of ready messages may take, or a stream on disk, `x-max-length-bytes`, from 0.
    /// [c q s]
    public var maxLengthBytes: Int?

    /// What happens to messages beyond that, `x-overflow`. [c q]
    public var overflow: Overflow?

    /// How long a message may wait, `x-message-ttl`: whole milliseconds, rounded up, from 0 to 10 years. [c q]
    public var messageTTL: Duration?

    /// How long the queue may be unused before it is deleted, `x-expires`: whole milliseconds, rounded up, from 1 to
    /// 10 years. [c q]
    public var expires: Duration?

    /// Where messages go that are rejected, expire or are dropped, `x-dead-letter-exchange`. Empty for the default
    /// exchange. [c q]
    public var deadLetterExchange: String?

    /// The routing key they get there, `x-dead-letter-routing-key`; their own if nil. At most 255 bytes of UTF-8. [c q]
    public var deadLetterRoutingKey: String?

    /// How sure dead-lettering is, `x-dead-letter-strategy`. [q]
    public var deadLetterStrategy: DeadLetterStrategy?

    /// How often a message may be delivered again before it is dropped or dead-lettered, `x-delivery-limit`, from 0; -1
    /// for no limit, from RabbitMQ 4.0, where 20 is the default. [q]
    ///
    /// A failure counts: ``IncomingMessage/reject(requeue:)``, a ``Disposition/requeue``, the end of a connection with the
    /// message unsettled. What a consumer was sent and nobody has seen counts in RabbitMQ 4.0 to 4.2 too when it goes back,
    /// so that a message may be dropped unseen: see ``Channel/setQos(prefetchSize:prefetchCount:global:)``. From 4.3 on it
    /// doesn't, nor does ``IncomingMessage/nack(requeue:multiple:)``.
    public var deliveryLimit: Int?

    /// Which messages that come back to the queue wait before they are delivered again, `x-delayed-retry-type`. From
    /// RabbitMQ 4.3; earlier ones ignore it. [q]
    ///
    /// RabbitMQ: [Delayed retry](https://www.rabbitmq.com/docs/quorum-queues#delayed-retry).
    public var delayedRetryType: DelayedRetryType?

    /// How long such a message waits, `x-delayed-retry-min`: whole milliseconds, rounded up, from 1 to 10 years. [q]
    ///
    /// That long for each time that the message failed (``Message/deliveryCount``), and once where it was only given back,
    /// but no longer than ``delayedRetryMax``. Without it, here or in a policy, nothing waits, and nobody says so.
    public var delayedRetryMin: Duration?

    /// The longest that such a message waits, `x-delayed-retry-max`: whole milliseconds, rounded up, from
    /// ``delayedRetryMin`` to 10 years. If nil, every wait is ``delayedRetryMin``. [q]
    public var delayedRetryMax: Duration?

    /// How long a consumer may keep a message unsettled, `x-consumer-timeout`: whole milliseconds, rounded up, from 1 to
    /// 10 years. If nil, a policy's or the broker's, which mostly is 30 minutes. [q]
    ///
    /// RabbitMQ 4.3 cancels the consumer then, whose sequence throws ``AMQPError/Code/consumerCancelled``; the channel lives,
    /// and the consumer's messages go back to the queue. ``ConsumerOptions/timeout`` sets it for one consumer. RabbitMQ 3.12
    /// to 4.2 look once a minute, and close the channel with ``AMQPError/Code/preconditionFailed``; earlier ones ignore it.
    ///
    /// RabbitMQ: [Consumer timeout](https://www.rabbitmq.com/docs/quorum-queues#consumer-timeout).
    public var consumerTimeout: Duration?

    /// How long the messages of a consumer on a node that can't be reached are kept for it,
    /// `x-consumer-disconnected-timeout`: whole milliseconds, rounded up, from 0 to 10 years. If nil, a policy's or the
    /// broker's, which mostly is a minute. From RabbitMQ 4.3; earlier ones ignore it. [q]
    public var consumerDisconnectedTimeout: Duration?

    /// Whether one consumer gets everything while the others wait, `x-single-active-consumer`. [c q]
    public var singleActiveConsumer: Bool?

    /// The highest priority of messages, `x-max-priority`, from 0, for none, to 255; few are better. [c]
    ///
    /// Quorum queues refuse it, and have priorities without it: see ``Message/priority``.
    public var maxPriority: Int?

    /// On which node the leader begins, `x-queue-leader-locator`. [q s; c where
    /// RabbitMQ 4.0 and its feature flag `rabbitmq_4.0.0` are]
    public var leaderLocator: LeaderLocator?

    /// Where messages are kept, `x-queue-mode`. From RabbitMQ 3.12 it is ignored. [c]
    public var mode: Mode?

    /// On how many nodes the queue begins, from 1: `x-quorum-initial-group-size`, for a stream
    /// `x-initial-cluster-size`. [q s]
    public var initialGroupSize: Int?

    /// How long a stream keeps messages, `x-max-age`: whole seconds, rounded up, from 1. [s]
    ///
    /// It goes out in the largest unit that fits: a week as `7D`. RabbitMQ compares the text when the stream is declared
    /// again; where another client has written `168h`, use ``custom``.
    public var maxAge: Duration?

    /// The size of a stream's segment files in bytes, `x-stream-max-segment-size-bytes`, from 1 to 3,000,000,000. A
    /// stream drops whole segments. [s]
    public var maxSegmentSize: Int?

    /// The size of the filter that a stream keeps for each chunk of messages, `x-stream-filter-size-bytes`, from 16, the
    /// default, to 255. More of it lets fewer messages through that a ``StreamFilter`` doesn't ask for. From RabbitMQ
    /// 3.13; earlier ones ignore it. [s]
    public var filterSize: Int?

    /// Further arguments, which go out as they are, unchecked.
    public var custom: FieldTable

    /// Makes arguments; what is nil is not sent.
    ///
    /// - Parameters:
    ///   - type: ``type``.
    ///   - maxLength: ``maxLength``.
    ///   - maxLengthBytes: ``maxLengthBytes``.
    ///   - overflow: ``overflow``.
    ///   - messageTTL: ``messageTTL``.
    ///   - expires: ``expires``.
    ///   - deadLetterExchange: ``deadLetterExchange``.
    ///   - deadLetterRoutingKey: ``deadLetterRoutingKey``.
    ///   - deadLetterStrategy: ``deadLetterStrategy``.
    ///   - deliveryLimit: ``deliveryLimit``.
    ///   - delayedRetryType: ``delayedRetryType``.
    ///   - delayedRetryMin: ``delayedRetryMin``.
    ///   - delayedRetryMax: ``delayedRetryMax``.
    ///   - consumerTimeout: ``consumerTimeout``.
    ///   - consumerDisconnectedTimeout: ``consumerDisconnectedTimeout``.
    ///   - singleActiveConsumer: ``singleActiveConsumer``.
    ///   - maxPriority: ``maxPriority``.
    ///   - leaderLocator: ``leaderLocator``.
    ///   - mode: ``mode``.
    ///   - initialGroupSize: ``initialGroupSize``.
    ///   - maxAge: ``maxAge``.
    ///   - maxSegmentSize: ``maxSegmentSize``.
    ///   - filterSize: ``filterSize``.
    ///   - custom: ``custom``.
    public init(
        type: QueueType? = nil,
        maxLength: Int? = nil,
        maxLengthBytes: Int? = nil,
        overflow: Overflow? = nil,
        messageTTL: Duration? = nil,
        expires: Duration? = nil,
        deadLetterExchange: String? = nil,
        deadLetterRoutingKey: String? = nil,
        deadLetterStrategy: DeadLetterStrategy? = nil,
        deliveryLimit: Int? = nil,
        delayedRetryType: DelayedRetryType? = nil,
        delayedRetryMin: Duration? = nil,
        delayedRetryMax: Duration? = nil,
        consumerTimeout: Duration? = nil,
        consumerDisconnectedTimeout: Duration? = nil,
        singleActiveConsumer: Bool? = nil,
        maxPriority: Int? = nil,
        leaderLocator: LeaderLocator? = nil,
        mode: Mode? = nil,
        initialGroupSize: Int? = nil,
        maxAge: Duration? = nil,
        maxSegmentSize: Int? = nil,
        filterSize: Int? = nil,
        custom: FieldTable = [:]
    ) {
        self.type = type
        self.maxLength = maxLength
        self.maxLengthBytes = maxLengthBytes
        self.overflow = overflow
        self.messageTTL = messageTTL
        self.expires = expires
        self.deadLetterExchange = deadLetterExchange
        self.deadLetterRoutingKey = deadLetterRoutingKey
        self.deadLetterStrategy = deadLetterStrategy
        self.deliveryLimit = deliveryLimit
        self.delayedRetryType = delayedRetryType
        self.delayedRetryMin = delayedRetryMin
        self.delayedRetryMax = delayedRetryMax
        self.consumerTimeout = consumerTimeout
        self.consumerDisconnectedTimeout = consumerDisconnectedTimeout
        self.singleActiveConsumer = singleActiveConsumer
        self.maxPriority = maxPriority
        self.leaderLocator = leaderLocator
        self.mode = mode
        self.initialGroupSize = initialGroupSize
        self.maxAge = maxAge
        self.maxSegmentSize = maxSegmentSize
        self.filterSize = filterSize
        self.custom = custom
    }

    /// Reads arguments from a table.
    ///
    /// What it does not know, what is out of its range, or what has another type or form than it would write itself, goes
    /// to ``custom``. So ``table`` says the same as `table`, and what a broker has taken is refused by none of the checks
    /// of values.
    ///
    /// - Parameter table: Arguments of a queue.
    public init(_ table: FieldTable) {
        self.init()
        var custom = table
        // The type first: it decides how a field is called.
        for field in QueueArgumentField.all {
            guard let value = table[field.name], field.problem(value) == nil else { continue }
            var read = self
            field.read(value, &read)
            guard let written = field.write(read), written.means(value) else { continue }
            self = read
            custom[field.name] = nil
        }
        self.custom = custom
    }

    /// The arguments as they go out.
    public var table: FieldTable {
        var table = custom
        for field in QueueArgumentField.all {
            if let value = field.write(self) { table[field.name] = value }
        }
        return table
    }
}

extension FieldValue {
    /// Whether RabbitMQ takes it for the same argument: integers of all sizes are alike.
    fileprivate func means(_ other: FieldValue) -> Bool {
        if let number = intValue { number == other.intValue } else { self == other }
    }
}

extension QueueArguments: ExpressibleByDictionaryLiteral {
    // Disfavored: else `QueueArguments()` could mean this one.
    /// Reads arguments from a table, as ``init(_:)`` does; of a name that is there twice, the last counts.
    @_disfavoredOverload
    public init(dictionaryLiteral elements: (String, FieldValue)...) {
        self.init(FieldTable(elements) { _, last in last })
    }
}
