import RabbitMQ
import Testing

@testable import RabbitMQTesting

@Suite struct ValueTests {
    @Test(arguments: [
        ("a.b", "a.b", true), ("a.*", "a.b", true), ("a.*", "a", false), ("a.*", "a.b.c", false), ("#", "", true),
        ("#", "a.b", true), ("a.#", "a", true), ("a.#.c", "a.c", true), ("a.#.c", "a.b.b.c", true),
        ("#.#.#.#.x", "a.b.c.d.e.f", false), ("*", "", false), ("*.*", "a.", true), ("", "", true), ("", "a", false),
    ])
    func `topic patterns`(_ pattern: String, _ key: String, _ matches: Bool) {
        #expect(TopicPattern(pattern).matches(key) == matches)
    }

    private func message(_ position: UInt64, priority: Int = 0) -> StoredMessage {
        StoredMessage(
            message: Message(body: [1, 2]),
            exchange: "",
            routingKey: "",
            position: position,
            priority: priority
        )
    }

    @Test func `messages that come back have their places`() {
        var ready = ReadyMessages()
        for position in 1...200 { ready.insert(message(UInt64(position))) }
        var taken: [StoredMessage] = []
        for _ in 0..<150 { ready.popFirst().map { taken.append($0) } }
        for message in taken.shuffled() { ready.insert(message) }
        ready.insert(message(201, priority: 3))
        #expect(ready.count == 201 && ready.byteCount == 402)
        #expect(ready.all.map(\.position) == [201] + Array(1...200))
        var positions: [UInt64] = []
        while let next = ready.popFirst() { positions.append(next.position) }
        #expect(positions == [201] + Array(1...200) && ready.isEmpty && ready.byteCount == 0)
    }

    @Test func `deliveries are settled once, one by one or all up to one`() {
        var ledger = DeliveryLedger()
        func entry(_ position: UInt64) -> DeliveryLedger.Entry {
            DeliveryLedger.Entry(queue: "q", queueID: 1, consumer: nil, consumerID: nil, message: message(position))
        }
        for tag in 1...300 {
            let isUnsettled = tag % 3 != 0
            #expect(ledger.add(isUnsettled ? entry(UInt64(tag)) : nil) == UInt64(tag))
        }
        #expect(ledger.count == 200)
        #expect(ledger.take(3, multiple: false).isEmpty)
        #expect(ledger.take(301, multiple: true).isEmpty)
        #expect(ledger.take(2, multiple: false).map(\.tag) == [2])
        #expect(ledger.take(2, multiple: false).isEmpty)
        // RabbitMQ looks for the tag itself, and does not know one that is settled.
        #expect(ledger.take(3, multiple: true).isEmpty && ledger.count == 199)
        #expect(ledger.take(200, multiple: true).count == 133)
        #expect(ledger.take(100, multiple: true).isEmpty)
        #expect(ledger.add(entry(301)) == 301)
        #expect(ledger.takeAll().map(\.tag).last == 301 && ledger.count == 0)
    }

    @Test func `what a client sends is taken apart without trapping`() throws {
        var bytes: [UInt8] = []
        var fields = WireWriter()
        for number in [50, 10, 0] as [UInt16] { fields.short(number) }
        fields.shortString("q")
        fields.octet(2)
        fields.table(["a": ["b": [1, "two", .void, .decimal(scale: 1, unscaled: -1)]]])
        Frame.append(.method, channel: 1, fields.bytes, to: &bytes)
        // Each beginning, and each byte changed: an error or another request.
        for count in 0..<bytes.count {
            var splitter = FrameSplitter()
            splitter.append(bytes[..<count])
            #expect(try splitter.next(frameMax: 4096) == nil)
        }
        for index in fields.bytes.indices {
            var changed = fields.bytes
            changed[index] = 0xFF
            _ = try? Request.decode(changed[...])
            _ = try? Request.decode(fields.bytes[..<index])
        }
        var splitter = FrameSplitter()
        splitter.append(bytes)
        let frame = try #require(try splitter.next(frameMax: 4096))
        guard case (let id, .queueDeclare(let queue)) = try Request.decode(frame.payload) else {
            Issue.record("no queue.declare")
            return
        }
        #expect(id.name == "queue.declare" && queue.name == "q" && queue.durable && !queue.passive)
        #expect(queue.arguments == ["a": ["b": [1, "two", .void, .decimal(scale: 1, unscaled: -1)]]])
    }

    @Test func `danger: what nests too deep is left out, and the rest arrives`() throws {
        let last = FieldValue.string("last")
        func nested(_ depth: Int) -> FieldValue {
            var value = FieldValue.int32(7)
            for level in 0..<depth { value = level % 2 == 0 ? .table(["a": value]) : .array([value]) }
            return value
        }
        func sent(_ value: FieldValue) throws -> FieldTable {
            var fields = WireWriter()
            fields.table(["deep": value, "last": last])
            var reader = WireReader(fields.bytes[...])
            return try reader.table()
        }
        // The table itself is the first of 64.
        let (whole, cut, deep) = (try sent(nested(63)), try sent(nested(64)), try sent(nested(500)))
        let (kept, lost) = (nested(63), nested(64))
        #expect(whole["deep"] == kept && whole["last"] == last)
        #expect(cut["deep"] != lost && cut["last"] == last)
        #expect(deep["last"] == last)
    }

    @Test func `properties are the same after the wire`() throws {
        let message = Message(
            body: [],
            headers: ["a": 1, "b": [true, .float(1.5), .timestamp(7)]],
            contentType: "text/plain",
            contentEncoding: "gzip",
            deliveryMode: .persistent,
            priority: 7,
            correlationID: String(amqpBytes: [0xC3, 0x28]),
            replyTo: "r",
            expiration: "1",
            messageID: "m",
            type: "t",
            userID: "u",
            appID: "a"
        )
        #expect(try ContentProperties.decode(ContentProperties.encode(message)[...]) == message)
    }
}
