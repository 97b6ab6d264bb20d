import Foundation
import Testing

@testable import RabbitMQ

@Suite("Consumer options")
struct ConsumerOptionsTests {
    @Test("priority and stream offset become arguments, over which given ones win")
    func table() {
        #expect(ConsumerOptions().table.isEmpty)
        #expect(ConsumerOptions(priority: -3).table == ["x-priority": .int32(-3)])
        #expect(
            ConsumerOptions(priority: 1, arguments: ["x-priority": 2, "x": "y"]).table == ["x-priority": 2, "x": "y"]
        )
        let date = Date(timeIntervalSince1970: 1_700_000_000.9)
        for (offset, value) in [
            (.first, "first"), (.last, "last"), (.next, "next"), (.offset(17), 17), (.offset(.max), .int64(.max)),
            (.timestamp(date), .timestamp(1_700_000_000)), (.interval("1h"), "1h"),
        ] as [(StreamOffset, FieldValue)] {
            #expect(ConsumerOptions(streamOffset: offset).table == ["x-stream-offset": value])
        }
    }

    @Test("a stream's consumer needs acknowledgements and a prefetch limit")
    func streams() {
        let options = ConsumerOptions(streamOffset: .first)
        #expect(throws: Never.self) { try options.validate(prefetchCount: 1) }
        #expect(throws: AMQPError.self) { try options.validate(prefetchCount: 0) }
        #expect(throws: AMQPError.self) {
            try ConsumerOptions(noAck: true, streamOffset: .first).validate(prefetchCount: 1)
        }
        #expect(throws: Never.self) { try ConsumerOptions(noAck: true).validate(prefetchCount: 0) }
    }

    @Test("a filter and a timeout become arguments")
    func filterAndTimeout() {
        #expect(
            ConsumerOptions(streamOffset: .first, streamFilter: StreamFilter("a", "b")).table
                == ["x-stream-offset": "first", "x-stream-filter": ["a", "b"]]
        )
        #expect(
            ConsumerOptions(streamFilter: StreamFilter(["a"], matchUnfiltered: true)).table
                == ["x-stream-filter": ["a"], "x-stream-match-unfiltered": true]
        )
        #expect(ConsumerOptions(timeout: .microseconds(1_500)).table == ["x-consumer-timeout": .int64(2)])
    }

    @Test(
        "what costs the connection or the queue is refused, however it is given, and what would filter nothing",
        arguments: [
            ConsumerOptions(streamFilter: StreamFilter()), ConsumerOptions(streamFilter: StreamFilter([])),
            ConsumerOptions(arguments: ["x-stream-filter": []]),
            ConsumerOptions(arguments: ["x-stream-filter": [1, .void]]),
            ConsumerOptions(arguments: ["x-stream-filter": 7]),
            ConsumerOptions(arguments: ["x-stream-filter": .bytes([1])]),
            ConsumerOptions(arguments: ["x-stream-match-unfiltered": true]),
            ConsumerOptions(streamFilter: StreamFilter("a"), arguments: ["x-stream-filter": []]),
            ConsumerOptions(timeout: .zero), ConsumerOptions(timeout: .seconds(-1)),
            ConsumerOptions(timeout: .seconds(315_360_001)), ConsumerOptions(timeout: .seconds(Int64.max)),
            ConsumerOptions(arguments: ["x-consumer-timeout": 0]),
            ConsumerOptions(arguments: ["x-consumer-timeout": .uint64(.max)]),
        ]
    )
    func refused(options: ConsumerOptions) {
        #expect {
            try options.validate(prefetchCount: 1)
        } throws: { error in
            (error as? AMQPError)?.code == .invalidArgument
        }
    }

    @Test(
        "what works passes",
        arguments: [
            ConsumerOptions(streamFilter: StreamFilter("a")), ConsumerOptions(streamFilter: StreamFilter("")),
            ConsumerOptions(arguments: ["x-stream-filter": "a", "x-stream-match-unfiltered": true]),
            ConsumerOptions(arguments: ["x-stream-filter": ["a", 7]]), ConsumerOptions(timeout: .milliseconds(1)),
            ConsumerOptions(timeout: .seconds(315_360_000)),
        ]
    )
    func accepted(options: ConsumerOptions) throws {
        try options.validate(prefetchCount: 1)
    }

    @Test("a filtering consumer needs acknowledgements and a prefetch limit, as any of a stream")
    func filterNeedsLimit() {
        let options = ConsumerOptions(streamFilter: StreamFilter("a"))
        #expect(throws: AMQPError.self) { try options.validate(prefetchCount: 0) }
        #expect(throws: AMQPError.self) {
            try ConsumerOptions(noAck: true, streamFilter: StreamFilter("a")).validate(prefetchCount: 1)
        }
    }

    @Test("what only consumers of some types of queue have is refused where the type is known")
    func types() throws {
        let filter = ConsumerOptions(streamFilter: StreamFilter("a"))
        let timeout = ConsumerOptions(timeout: .seconds(1))
        let priority = ConsumerOptions(priority: 1)
        for (options, good, bad) in [
            (filter, [.stream, nil, .jms], [.classic, .quorum]), (timeout, [.quorum, nil, .jms], [.classic, .stream]),
            (priority, [.classic, .quorum, nil], [.stream]),
        ] as [(ConsumerOptions, [QueueType?], [QueueType])] {
            for type in good { try StreamRules.checkOptions(options, type: type, queue: "q") }
            for type in bad {
                #expect(throws: AMQPError.self) { try StreamRules.checkOptions(options, type: type, queue: "q") }
            }
        }
    }

    @Test("good intervals", arguments: ["1Y", "2M", "30D", "1h", "15m", "45s", "first"])
    func interval(text: String) {
        #expect(throws: Never.self) { try StreamOffset.interval(text).validate() }
    }

    @Test("bad intervals", arguments: ["", "h", "1", "1x", "-1h", "1 h", "1hh", "１h", "99999999999h"])
    func badInterval(text: String) {
        #expect { try StreamOffset.interval(text).validate() } throws: { error in
            (error as? AMQPError)?.code == .invalidArgument
        }
    }
}
