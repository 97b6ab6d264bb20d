import Foundation
import RabbitMQ
import TestSupport
import Testing

@Suite("Against another client: pika", .needsPlainPort, .timeLimit(.minutes(1)))
struct PikaTests {
    /// A queue that another connection may use too, lent to `body`.
    private func withSharedQueue(_ body: (Queue, Exchange) async throws -> Void) async throws {
        try await TestBroker.withChannel { connection, channel in
            let queue = try await channel.declareQueue(TestBroker.uniqueName("pika"), durable: false)
            do {
                try await body(queue, try await channel.declareExchange(""))
            } catch {
                _ = try? await queue.delete(ifEmpty: false)
                throw error
            }
            try await queue.delete(ifEmpty: false)
        }
    }

    /// What pika is to read for each of our types. Values are such as pika reads right: it takes `b` for unsigned and
    /// `B` for signed, cuts fractions off `f` and `d`, and takes `l` for unsigned and `L` for signed.
    static let read: [(key: String, value: FieldValue, letter: String, json: Message.JSON)] = [
        ("t", .bool(true), "t", true),
        ("t2", .bool(false), "t", false),
        ("b", .int8(127), "b", 127),
        ("B", .uint8(127), "B", 127),
        ("s", .int16(-32768), "s", -32768),
        ("u", .uint16(65535), "u", 65535),
        ("I", .int32(.min), "I", -2_147_483_648),
        ("i", .uint32(.max), "i", 4_294_967_295),
        ("l", .int64(.max), "l", 9_223_372_036_854_775_807),
        ("L", .uint64(1 << 40), "L", 1_099_511_627_776),
        ("f", .float(-3), "f", -3),
        ("d", .double(1e15), "d", 1_000_000_000_000_000),
        ("D", .decimal(scale: 2, unscaled: -31415), "D", "-314.15"),
        ("S", .string("häß 🐇"), "S", "häß 🐇"),
        ("x", .bytes([0, 255, 128]), "x", "00ff80"),
        ("T", .timestamp(1_700_000_000), "T", 1_700_000_000),
        ("V", .void, "V", nil),
        (
            "A", .array([.int32(1), .string("x"), .array([.void])]), "A",
            [["I", 1], ["S", "x"], ["A", [["V", nil]]]]
        ),
        (
            "F", .table(["in": .table(["deep": .array([.bool(true)])])]), "F",
            ["in": ["F", ["deep": ["A", [["t", true]]]]]]
        ),
    ]

    @Test("pika reads every type of header, and every property, that we publish")
    func pikaReads() async throws {
        try await withSharedQueue { queue, exchange in
            let headers = FieldTable(uniqueKeysWithValues: Self.read.map { ($0.key, $0.value) })
            let message = try Message(
                body: Array(0...255),
                headers: headers,
                contentType: "text/plain",
                contentEncoding: "latin-1",
                deliveryMode: .persistent,
                priority: 9,
                correlationID: String(repeating: "c", count: 255),
                replyTo: "replies",
                expiration: "60000",
                messageID: "m",
                timestamp: Date(timeIntervalSince1970: 1_700_000_000),
                type: "t",
                userID: TestBroker.username,
                appID: "swift"
            )
            try await exchange.publish(message, routingKey: queue.name)
            // Answered when the broker has it.
            _ = try await queue.channel.declareQueue(queue.name, passive: true)
            let output = try await Subprocess.python(PikaScripts.read, queue.name)
            let seen = try Message(output).json()
            let isNewer = try await BrokerVersion.current >= .v4_0
            for (key, _, letter, json) in Self.read {
                // RabbitMQ 4 keeps integers as AMQP 1.0 has them, and passes this one on as a signed one.
                let letter = letter == "L" && isNewer ? "l" : letter
                #expect(seen["headers"]?[key] == [.string(letter), json], "\(key)")
            }
            let properties: Message.JSON = [
                "content_type": "text/plain", "content_encoding": "latin-1", "delivery_mode": 2, "priority": 9,
                "correlation_id": .string(String(repeating: "c", count: 255)), "reply_to": "replies",
                "expiration": "60000", "message_id": "m", "timestamp": 1_700_000_000, "type": "t",
                "user_id": .string(try TestBroker.username), "app_id": "swift",
            ]
            #expect(seen["properties"] == properties)
            #expect(seen["body"]?.stringValue == (0...255).map { String(format: "%02x", $0) }.joined())
            #expect(seen["exchange"] == "")
            #expect(seen["routing_key"]?.stringValue == queue.name)
        }
    }

    @Test("pika sees absent properties as absent")
    func pikaReadsAbsent() async throws {
        try await withSharedQueue { queue, exchange in
            var bare = Message(body: [], timestamp: nil)
            bare.contentType = nil
            try await exchange.publish(bare, routingKey: queue.name)
            _ = try await queue.channel.declareQueue(queue.name, passive: true)
            let seen = try Message(await Subprocess.python(PikaScripts.read, queue.name)).json()
            #expect(seen["headers"]?.isNull == true)
            guard case .object(let properties)? = seen["properties"] else {
                Issue.record("no properties in \(seen)")
                return
            }
            #expect(properties.count == 12)
            #expect(properties.values.allSatisfy { $0.isNull })
            #expect(seen["body"] == "")
        }
    }

    /// pika can't encode b, B, s, u, i, f and d (its `data.py` has no branch for them), and writes `L` only for large
    /// negative numbers, as a signed one where rabbitmq-c reads an unsigned one: those types only go the other way.
    @Test("we read every type of header, and every property, that pika publishes")
    func pikaWrites() async throws {
        try await withSharedQueue { queue, _ in
            _ = try await Subprocess.python(PikaScripts.write, queue.name)
            try await eventually("both messages are there") {
                try await queue.channel.declareQueue(queue.name, durable: false, passive: true).messageCount == 2
            }
            let scalars: [(String, FieldValue)] = [
                ("text", .string("häß 🐇")), ("bytes", .bytes([0, 255, 128])), ("true", .bool(true)),
                ("false", .bool(false)), ("int", .int32(.min)), ("large", .int64(1 << 40)),
                ("decimal", .decimal(scale: 2, unscaled: 31415)), ("at", .timestamp(1_700_000_000)), ("none", .void),
                ("empty", .table([:])), ("nothing", .array([])),
            ]
            let table = FieldTable(uniqueKeysWithValues: scalars)
            let expected = table.merging([
                "table": .table(table), "array": .array(scalars.map(\.1)),
                "deep": [["a": [["b": [nil]]]]],
            ]) { $1 }
            let message = try #require(try await queue.get(noAck: true))
            for (key, value) in expected { #expect(message.headers?[key] == value, "\(key)") }
            #expect(message.headers?.count == expected.count)
            #expect(message.body == Array(0...255))
            #expect(message.contentType == "text/plain")
            #expect(message.contentEncoding == "latin-1")
            #expect(message.deliveryMode == .persistent)
            #expect(message.priority == 9)
            #expect(message.correlationID == String(repeating: "c", count: 255))
            #expect(message.replyTo == "replies")
            #expect(message.expiration == "60000")
            #expect(message.messageID == "m")
            #expect(message.timestamp == Date(timeIntervalSince1970: 1_700_000_000))
            #expect(message.type == "t")
            #expect(try message.userID == TestBroker.username)
            #expect(message.appID == "python")

            let bare = try #require(try await queue.get(noAck: true))
            #expect(bare.body.isEmpty)
            #expect(bare.contentType == nil)
            #expect(bare.headers == nil)
            #expect(bare.timestamp == nil)
        }
    }
}
