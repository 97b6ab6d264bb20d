import Testing

@testable import RabbitMQ

@Suite("Local checks of a queue's arguments")
struct QueueArgumentsChecksTests {
    struct Case: CustomTestStringConvertible {
        var arguments: QueueArguments
        var flags = Topology.Queue("q", durable: true, exclusive: false, autoDelete: false)
        var says: [String]
        var testDescription: String { says.joined(separator: "; ") }

        init(_ arguments: QueueArguments, _ flags: Topology.Queue? = nil, says: String...) {
            self.arguments = arguments
            if let flags { self.flags = flags }
            self.says = says
        }
    }

    static func flags(_ name: String = "q", durable: Bool = true, exclusive: Bool = false, autoDelete: Bool = false)
        -> Topology.Queue
    {
        Topology.Queue(name, durable: durable, exclusive: exclusive, autoDelete: autoDelete)
    }

    static let refused: [Case] = [
        Case(QueueArguments(maxLength: -1), says: "x-max-length is -1", "at least 0"),
        Case(QueueArguments(maxLengthBytes: -1), says: "x-max-length-bytes is -1"),
        Case(QueueArguments(messageTTL: .milliseconds(-1)), says: "x-message-ttl is -1 milliseconds"),
        Case(QueueArguments(messageTTL: .seconds(315_360_001)), says: "from 0 to 315360000000 milliseconds"),
        Case(QueueArguments(messageTTL: .seconds(Int64.max)), says: "x-message-ttl"),
        Case(QueueArguments(expires: .zero), says: "x-expires is 0 milliseconds", "from 1 to"),
        Case(QueueArguments(maxPriority: -1), says: "x-max-priority is -1", "from 0 to 255"),
        Case(QueueArguments(maxPriority: 256), says: "x-max-priority is 256"),
        Case(QueueArguments(type: .quorum, deliveryLimit: -2), says: "x-delivery-limit is -2"),
        Case(QueueArguments(type: .quorum, initialGroupSize: 0), says: "x-quorum-initial-group-size is 0"),
        Case(
            QueueArguments(type: .quorum, delayedRetryType: QueueArguments.DelayedRetryType(rawValue: "sometimes")),
            says: "x-delayed-retry-type is \"sometimes\"",
            "disabled, all, failed, returned"
        ),
        Case(QueueArguments(type: .quorum, delayedRetryMin: .zero), says: "x-delayed-retry-min is 0 milliseconds"),
        Case(QueueArguments(type: .quorum, delayedRetryMax: .seconds(-1)), says: "x-delayed-retry-max is -1000"),
        Case(
            QueueArguments(type: .quorum, delayedRetryMin: .seconds(2), delayedRetryMax: .seconds(1)),
            says: "x-delayed-retry-max is less than x-delayed-retry-min"
        ),
        Case(QueueArguments(type: .quorum, delayedRetryMin: .seconds(Int64.max)), says: "from 1 to 315360000000"),
        Case(QueueArguments(type: .quorum, consumerTimeout: .zero), says: "x-consumer-timeout is 0 milliseconds"),
        Case(QueueArguments(type: .quorum, consumerTimeout: .seconds(315_360_001)), says: "x-consumer-timeout is"),
        Case(
            QueueArguments(type: .quorum, consumerDisconnectedTimeout: .milliseconds(-1)),
            says: "x-consumer-disconnected-timeout is -1 milliseconds"
        ),
        Case(
            QueueArguments(type: .classic, delayedRetryType: .all, delayedRetryMin: .seconds(1)),
            says: "x-delayed-retry-type is only for queues of type quorum, not classic",
            "x-delayed-retry-min is only for"
        ),
        Case(QueueArguments(type: .stream, consumerTimeout: .seconds(1)), says: "x-consumer-timeout is only for"),
        Case(
            QueueArguments(type: .classic, consumerDisconnectedTimeout: .seconds(1)),
            says: "x-consumer-disconnected-timeout is only for"
        ),
        Case(QueueArguments(type: .stream, filterSize: 15), says: "x-stream-filter-size-bytes is 15", "from 16 to 255"),
        Case(QueueArguments(type: .stream, filterSize: 256), says: "x-stream-filter-size-bytes is 256"),
        Case(QueueArguments(type: .quorum, filterSize: 16), says: "x-stream-filter-size-bytes is only for queues of"),
        Case(QueueArguments(delayedRetryMin: .seconds(1)), flags(autoDelete: true), says: "x-delayed-retry-min"),
        Case(QueueArguments(type: .stream, initialGroupSize: 0), says: "x-initial-cluster-size is 0"),
        Case(QueueArguments(type: .stream, maxAge: .zero), says: "x-max-age must be from a second"),
        Case(QueueArguments(type: .stream, maxAge: .seconds(-5)), says: "x-max-age must be from a second"),
        Case(QueueArguments(type: .stream, maxAge: .seconds(Int64.max)), says: "to 3,000 years"),
        Case(QueueArguments(type: .stream, maxSegmentSize: 3_000_000_001), says: "from 1 to 3000000000"),
        Case(QueueArguments(deadLetterExchange: String(repeating: "x", count: 256)), says: "has 256 bytes"),
        Case(QueueArguments(deadLetterRoutingKey: "k"), says: "x-dead-letter-routing-key needs x-dead-letter-exchange"),
        Case(
            QueueArguments(type: .quorum, overflow: .dropHead, deadLetterStrategy: .atLeastOnce),
            says: "at-least-once needs x-overflow reject-publish, not drop-head"
        ),
        Case(
            QueueArguments(deadLetterStrategy: .atLeastOnce, custom: ["x-overflow": "drop-head"]),
            says: "at-least-once needs x-overflow reject-publish, not drop-head"
        ),
        Case(QueueArguments(type: .quorum, overflow: .rejectPublishDeadLetter), says: "reject-publish-dlx"),
        Case(
            QueueArguments(type: .quorum, maxPriority: 5),
            says: "x-max-priority is only for queues of type classic",
            "has its priorities without an argument"
        ),
        Case(QueueArguments(type: .quorum, mode: .lazy), says: "x-queue-mode is only for"),
        Case(QueueArguments(type: .quorum, maxAge: .seconds(5)), says: "x-max-age is only for queues of type stream"),
        Case(QueueArguments(type: .classic, deliveryLimit: 5), says: "x-delivery-limit", "not classic"),
        Case(QueueArguments(type: .classic, deadLetterStrategy: .atMostOnce), says: "only for queues of type quorum"),
        Case(QueueArguments(type: .stream, messageTTL: .seconds(1)), says: "x-message-ttl is only", "not stream"),
        Case(QueueArguments(type: .stream, maxLength: 1), says: "x-max-length is only"),
        Case(QueueArguments(type: .stream, overflow: .dropHead), says: "x-overflow is only"),
        Case(QueueArguments(type: .stream, expires: .seconds(1)), says: "x-expires is only"),
        Case(QueueArguments(type: .stream, deadLetterExchange: "x"), says: "x-dead-letter-exchange is only"),
        Case(QueueArguments(type: .stream, singleActiveConsumer: true), says: "x-single-active-consumer is only"),
        Case(QueueArguments(type: .quorum), flags(durable: false), says: "can't be not durable"),
        Case(QueueArguments(type: .quorum), flags(exclusive: true), says: "can't be exclusive"),
        Case(QueueArguments(type: .stream), flags(autoDelete: true), says: "can't be deleted automatically"),
        Case(QueueArguments(type: .stream), flags(""), says: "the queue: ", "can't be named by the broker"),
        Case(QueueArguments(deliveryLimit: 5), flags(exclusive: true), says: "x-delivery-limit", "exclusive"),
        Case(QueueArguments(messageTTL: .seconds(1), maxAge: .seconds(1)), says: "x-max-age", "x-message-ttl"),
        Case(QueueArguments(maxLength: 1, custom: ["x-max-length": 2]), says: "x-max-length is given twice"),
        Case(
            QueueArguments(type: .stream, maxLength: -1, maxPriority: 300),
            flags(exclusive: true),
            says: "x-max-length is -1",
            "x-max-priority is 300",
            "can't be exclusive"
        ),
    ]

    @Test("what can't work is an invalidArgument that says why", arguments: refused)
    func refuses(_ refused: Case) throws {
        let error = #expect(throws: AMQPError.self) { try refused.arguments.validate(refused.flags) }
        #expect(error?.code == .invalidArgument)
        for words in refused.says { #expect(error?.message.contains(words) == true, "\(error?.message ?? "")") }
    }

    static let accepted: [Case] = [
        Case(QueueArguments(), says: "none"),
        Case(
            QueueArguments(maxLength: 0, messageTTL: .zero, expires: .milliseconds(1), maxPriority: 255),
            says: "edges"
        ),
        Case(QueueArguments(maxPriority: 1), flags("", durable: false, exclusive: true), says: "classic, exclusive"),
        Case(QueueArguments(deliveryLimit: 0), says: "the virtual host's default may be quorum"),
        Case(
            QueueArguments(
                type: .quorum,
                overflow: .rejectPublish,
                deadLetterExchange: "",
                deadLetterRoutingKey: "k",
                deadLetterStrategy: .atLeastOnce
            ),
            says: "at-least-once"
        ),
        Case(
            QueueArguments(type: .quorum, deadLetterStrategy: .atLeastOnce),
            says: "at-least-once, with the rest in a policy"
        ),
        Case(QueueArguments(type: .quorum, deliveryLimit: -1), says: "no delivery limit"),
        Case(QueueArguments(maxPriority: 0), says: "no priorities"),
        Case(
            QueueArguments(
                type: .quorum,
                delayedRetryType: .all,
                delayedRetryMin: .milliseconds(1),
                delayedRetryMax: .milliseconds(1),
                consumerTimeout: .milliseconds(1),
                consumerDisconnectedTimeout: .zero
            ),
            says: "the shortest times"
        ),
        Case(
            QueueArguments(
                type: .quorum,
                delayedRetryMin: .seconds(315_360_000),
                consumerTimeout: .seconds(315_360_000),
                consumerDisconnectedTimeout: .seconds(315_360_000)
            ),
            says: "the longest times"
        ),
        Case(
            QueueArguments(type: .quorum, delayedRetryType: .returned),
            says: "delayed retry, with its times in a policy"
        ),
        Case(QueueArguments(type: .stream, filterSize: 255), says: "the largest filter"),
        Case(QueueArguments(type: .jms, maxPriority: 9), flags(autoDelete: true), says: "a type of another broker"),
        Case(
            QueueArguments(deadLetterRoutingKey: "k", custom: ["x-dead-letter-exchange": ""]),
            says: "dead-letter exchange in custom"
        ),
        Case(
            QueueArguments(type: .stream, maxLengthBytes: 1, maxAge: .seconds(1), maxSegmentSize: 3_000_000_000),
            says: "stream"
        ),
        Case(QueueArguments(type: .stream, custom: ["x-max-length": -1]), says: "custom is unchecked"),
        Case(
            QueueArguments(type: QueueType(rawValue: "x-next"), maxLength: 1, maxAge: .seconds(1)),
            flags(exclusive: true),
            says: "a type that came later"
        ),
    ]

    @Test("what can work passes", arguments: accepted)
    func accepts(_ accepted: Case) throws {
        try accepted.arguments.validate(accepted.flags)
    }

    @Test(
        "times with which the broker would lose the queue are refused however they are given",
        arguments: [
            "x-delayed-retry-min", "x-delayed-retry-max", "x-consumer-timeout", "x-consumer-disconnected-timeout",
        ]
    )
    func times(key: String) throws {
        for value in [FieldValue.int64(315_360_000_001), .uint64(.max)] {
            let error = #expect(throws: AMQPError.self) {
                try QueueArguments([key: value]).validate(Topology.Queue("q"))
            }
            #expect(error?.code == .invalidArgument)
            #expect(error?.message.contains(key) == true)
        }
        for value in [FieldValue.int64(315_360_000_000), .int32(-1), "1000", .void] {
            try QueueArguments([key: value]).validate(Topology.Queue("q"))
        }
    }

    @Test("a dictionary literal says the same as typed arguments, and the last of a name that is there twice counts")
    func literals() {
        #expect(["x-queue-type": "quorum", "x-delivery-limit": 5] == QueueArguments(type: .quorum, deliveryLimit: 5))
        #expect(
            ["x-max-length": 1, "other": "a", "x-max-length": 2] == QueueArguments(maxLength: 2, custom: ["other": "a"])
        )
        #expect(["alternate-exchange": "a"] == ExchangeArguments(alternateExchange: "a"))
        #expect(["x-match": "all", "format": "pdf"] == BindingArguments.headers(.all, ["format": "pdf"]))
        #expect(QueueArguments() == [:])
    }
}
