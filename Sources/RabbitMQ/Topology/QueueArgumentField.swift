/// One argument of queues: what it is called on the wire, which types of queue have it, how it is written and read.
struct QueueArgumentField: Sendable {
    typealias Path<Value> = WritableKeyPath<QueueArguments, Value?> & Sendable

    let name: String
    let types: Set<QueueType>
    let write: @Sendable (QueueArguments) -> FieldValue?
    let read: @Sendable (FieldValue, inout QueueArguments) -> Void
    /// What is wrong with a value, in words that follow the name; nil if nothing is.
    let problem: @Sendable (FieldValue) -> String?

    /// RabbitMQ's longest time to live, 10 years (`MAX_EXPIRY_TIMER` of its `rabbit.hrl`), in milliseconds.
    static let longestTime: Int64 = 315_360_000_000

    // As in RabbitMQ's `rabbit_amqqueue:declare_args/0`, and the `capabilities/0` of its types of queue.
    static let all: [QueueArgumentField] = [
        text("x-queue-type", \.type, for: [.classic, .quorum, .stream]),
        integer("x-max-length", \.maxLength, from: 0, for: [.classic, .quorum]),
        integer("x-max-length-bytes", \.maxLengthBytes, from: 0, for: [.classic, .quorum, .stream]),
        text("x-overflow", \.overflow, for: [.classic, .quorum]),
        milliseconds("x-message-ttl", \.messageTTL, from: 0, for: [.classic, .quorum]),
        milliseconds("x-expires", \.expires, from: 1, for: [.classic, .quorum]),
        name("x-dead-letter-exchange", \.deadLetterExchange, for: [.classic, .quorum]),
        name("x-dead-letter-routing-key", \.deadLetterRoutingKey, for: [.classic, .quorum]),
        text("x-dead-letter-strategy", \.deadLetterStrategy, for: [.quorum]),
        integer("x-delivery-limit", \.deliveryLimit, from: -1, for: [.quorum]),
        // A word that RabbitMQ doesn't know would have it delay nothing, in silence.
        text(
            "x-delayed-retry-type",
            \.delayedRetryType,
            of: [.disabled, .all, .failed, .returned],
            for: [.quorum]
        ),
        milliseconds("x-delayed-retry-min", \.delayedRetryMin, from: 1, for: [.quorum]),
        milliseconds("x-delayed-retry-max", \.delayedRetryMax, from: 1, for: [.quorum]),
        milliseconds("x-consumer-timeout", \.consumerTimeout, from: 1, for: [.quorum]),
        milliseconds("x-consumer-disconnected-timeout", \.consumerDisconnectedTimeout, from: 0, for: [.quorum]),
        QueueArgumentField(
            name: "x-single-active-consumer",
            types: [.classic, .quorum],
            write: { $0.singleActiveConsumer.map(FieldValue.bool) },
            read: { $1.singleActiveConsumer = $0.boolValue },
            problem: { _ in nil }
        ),
        integer("x-max-priority", \.maxPriority, from: 0, to: 255, for: [.classic]),
        text("x-queue-leader-locator", \.leaderLocator, for: [.classic, .quorum, .stream]),
        text("x-queue-mode", \.mode, for: [.classic]),
        groupSize("x-quorum-initial-group-size", for: [.quorum]) { $0 != .stream },
        groupSize("x-initial-cluster-size", for: [.stream]) { $0 == .stream },
        QueueArgumentField(
            name: "x-max-age",
            types: [.stream],
            write: { $0.maxAge.map { .string(StreamAge.text($0)) } },
            read: { $1.maxAge = $0.stringValue.flatMap(StreamAge.duration) },
            problem: { value in
                value.stringValue.flatMap(StreamAge.duration) == nil ? "must be from a second to 3,000 years" : nil
            }
        ),
        integer("x-stream-max-segment-size-bytes", \.maxSegmentSize, from: 1, to: 3_000_000_000, for: [.stream]),
        integer("x-stream-filter-size-bytes", \.filterSize, from: 16, to: 255, for: [.stream]),
    ]

    private static func integer(
        _ name: String,
        _ path: any Path<Int>,
        from lowest: Int,
        to highest: Int = .max,
        for types: Set<QueueType>
    ) -> QueueArgumentField {
        QueueArgumentField(
            name: name,
            types: types,
            write: { $0[keyPath: path].map { .int64(Int64($0)) } },
            read: { $1[keyPath: path] = $0.intValue },
            problem: range(lowest...highest)
        )
    }

    private static func milliseconds(
        _ name: String,
        _ path: any Path<Duration>,
        from lowest: Int,
        for types: Set<QueueType>
    ) -> QueueArgumentField {
        QueueArgumentField(
            name: name,
            types: types,
            write: { $0[keyPath: path].map { .int64($0.wholeMilliseconds) } },
            read: { $1[keyPath: path] = $0.intValue.map { .milliseconds($0) } },
            problem: range(lowest...Int(longestTime), unit: " milliseconds")
        )
    }

    /// One of a few words; if these aren't given, the broker refuses others.
    private static func text<Value: RawRepresentable<String> & Sendable>(
        _ name: String,
        _ path: any Path<Value>,
        of words: [Value] = [],
        for types: Set<QueueType>
    ) -> QueueArgumentField {
        let words = words.map(\.rawValue)
        return QueueArgumentField(
            name: name,
            types: types,
            write: { $0[keyPath: path].map { .string($0.rawValue) } },
            read: { $1[keyPath: path] = $0.stringValue.flatMap(Value.init(rawValue:)) },
            problem: { value in
                guard !words.isEmpty, let word = value.stringValue, !words.contains(word) else { return nil }
                return "is \(word.debugDescription); it must be one of \(words.joined(separator: ", "))"
            }
        )
    }

    /// What becomes a short string one day: an exchange's name, a routing key.
    private static func name(_ name: String, _ path: any Path<String>, for types: Set<QueueType>) -> QueueArgumentField
    {
        QueueArgumentField(
            name: name,
            types: types,
            write: { $0[keyPath: path].map(FieldValue.string) },
            read: { $1[keyPath: path] = $0.stringValue },
            problem: { value in
                let count = value.stringValue?.utf8.count ?? 0
                return count > ShortString.maxBytes ? "has \(count) bytes of UTF-8; at most 255 are possible" : nil
            }
        )
    }

    private static func groupSize(
        _ name: String,
        for types: Set<QueueType>,
        isCalledSo: @escaping @Sendable (QueueType?) -> Bool
    ) -> QueueArgumentField {
        QueueArgumentField(
            name: name,
            types: types,
            write: { isCalledSo($0.type) ? $0.initialGroupSize.map { .int64(Int64($0)) } : nil },
            read: { if isCalledSo($1.type) { $1.initialGroupSize = $0.intValue } },
            problem: range(1...Int.max)
        )
    }

    private static func range(_ range: ClosedRange<Int>, unit: String = "") -> @Sendable (FieldValue) -> String? {
        { value in
            guard let number = value.clampedInt, !range.contains(number) else { return nil }
            let limits =
                range.upperBound == .max
                ? "at least \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
            return "is \(number)\(unit); it must be \(limits)\(unit)"
        }
    }
}

extension FieldValue {
    /// Its number, or the largest `Int` for what is larger; nil if it is none.
    var clampedInt: Int? {
        if case .uint64(let number) = self { Int(clamping: number) } else { intValue }
    }
}
