import Foundation
import RabbitMQ
import TestSupport
import Testing

/// Field tables with every type that RabbitMQ knows.
enum Tables {
    static let scalars: [String: FieldValue] = [
        "t true": .bool(true), "t false": .bool(false),
        "b": .int8(-128), "b max": .int8(127), "B": .uint8(255),
        "s": .int16(-32768), "u": .uint16(65535),
        "I": .int32(.min), "I max": .int32(.max), "i": .uint32(.max),
        "l": .int64(.min), "l max": .int64(.max),
        "f": .float(0.1), "d": .double(-1.5e300), "D": .decimal(scale: 2, unscaled: 31415),
        "D negative": .decimal(scale: 4, unscaled: -1),
        "S": .string("häß 🐇"), "S empty": .string(""), "x": .bytes([0, 255, 128]), "x empty": .bytes([]),
        "T": .timestamp(1_700_000_000), "V": .void, "A empty": .array([]), "F empty": .table([:]),
        "": .string("no key"),
    ]

    /// All of them, and all of them in an array and in a table, and both in each other.
    static let all = scalars.merging([
        "A": .array(scalars.keys.sorted().compactMap { scalars[$0] }),
        "F": .table(scalars),
        "nested": .array([.table(["inner": .array([.table(scalars), .array([.void])])])]),
    ]) { $1 }

    /// As deep as tables may be: 32 levels, the outermost included.
    static func nested(levels: Int) -> FieldTable {
        (1..<levels).reduce(["end": 1]) { inner, level in
            level.isMultiple(of: 2) ? ["array": [.table(inner)]] : ["table": .table(inner)]
        }
    }
}

@Suite("Reference: field tables", .timeLimit(.minutes(1)))
struct TableRows {
    @Test("row 34: every type comes back through the broker as it was sent, nested too")
    func roundTrip() async throws {
        try await TestBroker.withQueue { _, _, queue, exchange in
            try await exchange.publish(Message(body: [], headers: Tables.all), routingKey: queue.name)
            let received = try #require(try await queue.get(noAck: true)?.headers)
            for (key, value) in Tables.all { #expect(received[key] == value, "\(key)") }
            #expect(received.count == Tables.all.count)
        }
    }

    @Test("row 34: and so when the broker has decoded and encoded them itself, as it does for dead letters")
    func encodedByTheBroker() async throws {
        try await TestBroker.withChannel { connection, channel in
            let dead = try await channel.declareQueue(exclusive: true)
            let queue = try await channel.declareQueue(
                exclusive: true,
                arguments: ["x-dead-letter-exchange": "", "x-dead-letter-routing-key": .string(dead.name)]
            )
            let exchange = try await channel.declareExchange("")
            try await exchange.publish(Message(body: [], headers: Tables.all), routingKey: queue.name)
            try #require(try await queue.get()).reject(requeue: false)
            try await connection.waitForMessages(1, in: dead)
            let received = try #require(try await dead.get(noAck: true)?.headers)
            for (key, value) in Tables.all { #expect(received[key] == value, "\(key)") }
            #expect(received["x-death"]?.arrayValue?.count == 1)
        }
    }

    @Test("row 34: an unsigned 64-bit integer, which RabbitMQ 4 makes a signed one of the same bits")
    func unsigned64() async throws {
        let isSigned = try await BrokerVersion.current >= .v4_0
        try await TestBroker.withQueue { _, _, queue, exchange in
            for value in [0, 1, UInt64(Int64.max), UInt64(Int64.max) + 1, UInt64.max] {
                try await exchange.publish(Message(body: [], headers: ["L": .uint64(value)]), routingKey: queue.name)
                let received = try #require(try await queue.get(noAck: true)?.headers)
                #expect(received == ["L": isSigned ? .int64(Int64(bitPattern: value)) : .uint64(value)])
            }
        }
    }

    @Test("row 34: timestamps are in seconds")
    func timestamps() async throws {
        try await TestBroker.withQueue { _, _, queue, exchange in
            let date = Date(timeIntervalSince1970: 1_234_567_890)
            try await exchange.publish(Message(body: [], headers: ["at": .date(date)]), routingKey: queue.name)
            let received = try #require(try await queue.get(noAck: true)?.headers)
            #expect(received["at"] == .timestamp(1_234_567_890))
            #expect(received["at"]?.dateValue == date)
        }
    }

    @Test("row 34: 32 levels travel, 33 are refused locally, and a table that fills a frame is refused whole")
    func limits() async throws {
        try await TestBroker.withQueue { _, channel, queue, exchange in
            let deepest = Tables.nested(levels: 17)
            let most = Message(body: [], headers: deepest)
            try await exchange.publish(most, routingKey: queue.name)
            #expect(try await queue.get(noAck: true)?.headers == deepest)
            await expectError(.invalidMessage) {
                try await exchange.publish(
                    Message(body: [], headers: Tables.nested(levels: 40)),
                    routingKey: queue.name
                )
            }
            let large: FieldTable = ["large": .bytes(Array(repeating: 1, count: 131_072))]
            await expectError(.invalidMessage) {
                try await exchange.publish(Message(body: [1], headers: large), routingKey: queue.name)
            }
            #expect(channel.closeReason == nil)
            try await exchange.publishNumbers(0..<1, to: queue)
            #expect(try await queue.get(noAck: true)?.number == 0)
        }
    }

    @Test("row 34: an empty table is not an absent one, and arguments take tables too")
    func emptyAndArguments() async throws {
        try await TestBroker.withQueue { _, channel, queue, exchange in
            try await exchange.publish(Message(body: [], headers: [:]), routingKey: queue.name)
            #expect(try await queue.get(noAck: true)?.headers == [:])
            let headers = try await channel.declareExchange(
                TestBroker.uniqueName("headers"),
                type: .headers,
                autoDelete: true
            )
            try await queue.bind(to: headers, routingKey: "", arguments: ["n": 5, "x-match": "all"])
            try await headers.publish(Message(body: [1], headers: ["n": 5]), routingKey: "")
            #expect(try await queue.get(noAck: true)?.body == [1])
        }
    }
}
