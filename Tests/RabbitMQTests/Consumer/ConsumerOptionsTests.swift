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
