import Testing

@testable import RabbitMQ

@Suite("Typed arguments of queues")
struct QueueArgumentsTests {
    @Test("every argument has RabbitMQ's name and type")
    func wire() {
        let arguments = QueueArguments(
            type: .quorum,
            maxLength: 10,
            maxLengthBytes: 2_000,
            overflow: .rejectPublish,
            messageTTL: .seconds(60),
            expires: .seconds(1_800),
            deadLetterExchange: "failed",
            deadLetterRoutingKey: "orders",
            deadLetterStrategy: .atLeastOnce,
            deliveryLimit: 5,
            delayedRetryType: .failed,
            delayedRetryMin: .seconds(1),
            delayedRetryMax: .milliseconds(2_500),
            consumerTimeout: .seconds(90),
            consumerDisconnectedTimeout: .zero,
            singleActiveConsumer: true,
            maxPriority: 9,
            leaderLocator: .balanced,
            mode: .lazy,
            initialGroupSize: 3,
            maxAge: .seconds(7 * 86_400),
            maxSegmentSize: 500_000,
            filterSize: 32,
            custom: ["x-custom": "as it is"]
        )
        let expected: FieldTable = [
            "x-queue-type": "quorum",
            "x-max-length": .int64(10),
            "x-max-length-bytes": .int64(2_000),
            "x-overflow": "reject-publish",
            "x-message-ttl": .int64(60_000),
            "x-expires": .int64(1_800_000),
            "x-dead-letter-exchange": "failed",
            "x-dead-letter-routing-key": "orders",
            "x-dead-letter-strategy": "at-least-once",
            "x-delivery-limit": .int64(5),
            "x-delayed-retry-type": "failed",
            "x-delayed-retry-min": .int64(1_000),
            "x-delayed-retry-max": .int64(2_500),
            "x-consumer-timeout": .int64(90_000),
            "x-consumer-disconnected-timeout": .int64(0),
            "x-single-active-consumer": true,
            "x-max-priority": .int64(9),
            "x-queue-leader-locator": "balanced",
            "x-queue-mode": "lazy",
            "x-quorum-initial-group-size": .int64(3),
            "x-max-age": "7D",
            "x-stream-max-segment-size-bytes": .int64(500_000),
            "x-stream-filter-size-bytes": .int64(32),
            "x-custom": "as it is",
        ]
        #expect(arguments.table == expected)
        #expect(QueueArguments(expected) == arguments)
        #expect(QueueArguments().table.isEmpty)
    }

    @Test("a stream's group size has a name of its own")
    func groupSize() {
        let stream = QueueArguments(type: .stream, initialGroupSize: 3)
        #expect(stream.table == ["x-queue-type": "stream", "x-initial-cluster-size": .int64(3)])
        #expect(QueueArguments(stream.table) == stream)
    }

    @Test("the names of the values are RabbitMQ's")
    func values() {
        #expect(QueueType.classic.rawValue == "classic")
        #expect(QueueType.stream.description == "stream")
        #expect(QueueType.delayed.rawValue == "delayed")
        #expect(QueueType.jms.rawValue == "jms")
        #expect(QueueArguments.Overflow.dropHead.rawValue == "drop-head")
        #expect(QueueArguments.Overflow.rejectPublishDeadLetter.rawValue == "reject-publish-dlx")
        #expect(QueueArguments.DeadLetterStrategy.atMostOnce.rawValue == "at-most-once")
        #expect(QueueArguments.LeaderLocator.clientLocal.rawValue == "client-local")
        #expect(QueueArguments.Mode.default.rawValue == "default")
        let retries: [QueueArguments.DelayedRetryType] = [.disabled, .all, .failed, .returned]
        #expect(retries.map(\.rawValue) == ["disabled", "all", "failed", "returned"])
    }

    @Test(
        "durations are rounded up to milliseconds",
        arguments: [
            (Duration.microseconds(1), 1), (.milliseconds(1_500), 1_500), (.microseconds(1_500_001), 1_501),
            (.zero, 0), (.seconds(-1), -1_000), (.seconds(Int64.max), Int.max), (.seconds(Int64.min), Int.min),
        ] as [(Duration, Int)]
    )
    func milliseconds(duration: Duration, expected: Int) {
        #expect(QueueArguments(messageTTL: duration).table["x-message-ttl"] == .int64(Int64(expected)))
    }

    @Test(
        "ages go out in the largest unit that fits, and come back",
        arguments: [
            (Duration.seconds(7 * 86_400), "7D"), (.seconds(36 * 3_600), "36h"), (.seconds(90), "90s"),
            (.seconds(120), "2m"), (.milliseconds(1_001), "2s"),
        ]
    )
    func ages(age: Duration, text: String) {
        #expect(QueueArguments(maxAge: age).table["x-max-age"] == .string(text))
        #expect(QueueArguments(["x-max-age": .string(text)]).table["x-max-age"] == .string(text))
    }

    @Test(
        "what it would write otherwise stays as it is",
        arguments: [
            ["x-max-age": "168h"], ["x-max-age": "1Y"], ["x-max-age": "h"], ["x-max-age": "99999999999999999999s"],
            ["x-max-length": "5"], ["x-queue-type": .bytes([255])], ["x-message-ttl": .double(1)],
            ["x-max-length": -1], ["x-delivery-limit": -2], ["x-max-priority": 256], ["x-expires": 0],
            ["x-delayed-retry-type": "sometimes"], ["x-delayed-retry-min": 0], ["x-consumer-timeout": "1000"],
            ["x-consumer-timeout": .uint64(.max)], ["x-stream-filter-size-bytes": 15], ["x-initial-cluster-size": 3],
            ["x-unknown": .table(["a": 1])], ["x-single-active-consumer": "true"],
        ] as [FieldTable]
    )
    func escape(table: FieldTable) {
        let arguments = QueueArguments(table)
        #expect(arguments == QueueArguments(custom: table))
        #expect(arguments.table == table)
    }

    @Test("integers of all sizes are read")
    func integers() {
        for value in [FieldValue.int8(5), .uint16(5), .int32(5), .uint64(5)] {
            #expect(QueueArguments(["x-max-length": value]) == QueueArguments(maxLength: 5))
        }
    }
}
