import TestSupport
import Testing

@testable import RabbitMQ

@Suite("a message as frames")
struct MessageFramesTests {
    private let pool = Pool()
    private let template = PublishTemplate()

    private func encode(
        _ message: Message,
        exchange: String = "e",
        routingKey: String = "k",
        mandatory: Bool = false,
        channel: UInt16 = 1,
        frameMax: Int = 4096,
        into buffer: OutboundBuffer = OutboundBuffer()
    ) throws -> OutboundBuffer {
        try buffer.appendPublish(
            message,
            exchange: exchange,
            routingKey: routingKey,
            mandatory: mandatory,
            channel: channel,
            frameMax: frameMax,
            pool: pool,
            template: template
        )
        return buffer
    }

    private func bare(_ body: [UInt8]) -> Message {
        var message = Message(body: body, timestamp: nil)
        message.contentType = nil
        return message
    }

    @Test func `byte for byte`() throws {
        var message = Message(body: [0xAA, 0xBB], contentType: "a/b", deliveryMode: .persistent, priority: 5)
        message.timestampSeconds = 0x0102
        let buffer = try encode(message, exchange: "ex", routingKey: "rk", mandatory: true, channel: 0x0203)
        let method: [UInt8] = [0, 60, 0, 40, 0, 0, 2, 0x65, 0x78, 2, 0x72, 0x6B, 1]
        // content type, delivery mode, priority, timestamp
        let flags: [UInt8] = [0b1001_1000, 0b0100_0000]
        let header: [UInt8] =
            [0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2] + flags + [3, 0x61, 0x2F, 0x62, 2, 5, 0, 0, 0, 0, 0, 0, 1, 2]
        let expected =
            [1, 2, 3, 0, 0, 0, 13] + method + [0xCE]
            + [2, 2, 3, 0, 0, 0, UInt8(header.count)] + header + [0xCE]
            + [3, 2, 3, 0, 0, 0, 2, 0xAA, 0xBB, 0xCE]
        #expect(try drained(buffer) == expected)
    }

    @Test(arguments: [0, 1, 4087, 4088, 4089, 8175, 8176, 8177, 100_000])
    func `bodies are cut at the frame size, and the last piece is no empty one`(size: Int) throws {
        let body = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
        let all = frames(in: try drained(try encode(bare(body))))
        let pieces = all.dropFirst(2)
        #expect(pieces.flatMap(\.payload) == body)
        #expect(pieces.count == (size + 4087) / 4088)
        #expect(pieces.dropLast().allSatisfy { $0.payload.count == 4088 })
        #expect(pieces.allSatisfy { $0.type == PeerFrame.Kind.body && !$0.payload.isEmpty })
    }

    @Test(arguments: [32_767, 32_768, 131_063, 131_064, 131_065, 262_128, 1 << 20])
    func `large bodies are spliced in, and come out the same`(size: Int) throws {
        let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let all = frames(in: try drained(try encode(bare(body), frameMax: 131_072)))
        #expect(all.dropFirst(2).flatMap(\.payload) == body)
        #expect(all.allSatisfy { $0.payload.count + 8 <= 131_072 })
    }

    @Test func `danger: properties that don't fit a frame leave nothing behind`() throws {
        let buffer = try encode(bare([1]))
        let before = buffer.byteCount
        let large = Message(body: [1], headers: ["key": .string(String(repeating: "x", count: 5000))])
        #expect(throws: AMQPError.self) { try encode(large, into: buffer) }
        #expect(buffer.byteCount == before)
        _ = try encode(bare([2]), into: buffer)
        let types = frames(in: try drained(buffer)).map(\.type)
        #expect(types == [1, 2, 3, 1, 2, 3])
        // The same message fits a larger frame.
        let all = frames(in: try drained(try encode(large, frameMax: 131_072)))
        #expect(all.count == 3)
    }

    @Test func `properties that just fit, and one byte more`() throws {
        func message(_ count: Int) -> Message {
            var message = bare([])
            message.headers = ["k": .string(String(repeating: "x", count: count))]
            return message
        }
        // 4096 - 8 of the envelope - 12 of the header - 2 of flags - 4 of the table - 2 of the key - 1 - 4
        let most = 4096 - 8 - 12 - 2 - 4 - 2 - 1 - 4
        let all = frames(in: try drained(try encode(message(most))))
        #expect(all[1].bytes.count == 4096)
        #expect(throws: AMQPError.self) { try encode(message(most + 1)) }
    }

    @Test func `every property comes out as it went in`() throws {
        let message = Message(
            body: [1, 2, 3],
            headers: ["x": 1, "nested": .table(["y": .array([.void, .bool(true)])])],
            contentType: "text/plain",
            contentEncoding: "gzip",
            deliveryMode: .transient,
            priority: 255,
            correlationID: "c",
            replyTo: "r",
            expiration: "60000",
            messageID: "m",
            type: "t",
            userID: "u",
            appID: String(repeating: "a", count: 255)
        )
        let all = frames(in: try drained(try encode(message)))
        var decoder = HeaderDecoder()
        let header = try all[1].payload.withUnsafeBytes { try decoder.header($0) }
        var decoded = header.message
        decoded.body = all[2].payload
        #expect(decoded == message)
        #expect(header.bodySize == 3)
    }

    @Test func `a message with an ID of its own goes where it is to, wherever the last like it went`() throws {
        let places: [(exchange: String, routingKey: String, mandatory: Bool, channel: UInt16)] = [
            ("e", "k", false, 1), ("e", "k", false, 1), ("e", "k", false, 2), ("e", "k", true, 1), ("e", "k", true, 1),
            ("e", "l", true, 1), ("f", "l", true, 1), ("", "k\u{212A}", false, 3), ("", "k\u{212A}", false, 3),
            ("", "kK", false, 3), ("e", String(repeating: "k", count: 255), false, 1),
            ("e", String(repeating: "k", count: 255), false, 7), ("e", "k", false, 0x0102),
        ]
        func message(_ number: Int) -> Message {
            var message = bare([UInt8(number)])
            message.messageID = "\(number)"
            return message
        }
        for (number, place) in places.enumerated() {
            let (exchange, key, mandatory, channel) = place
            let buffer = OutboundBuffer()
            try buffer.appendPublish(
                message(number),
                exchange: exchange,
                routingKey: key,
                mandatory: mandatory,
                channel: channel,
                frameMax: 4096,
                pool: pool,
                template: PublishTemplate()
            )
            let expected = try drained(buffer)
            let used = try encode(
                message(number),
                exchange: exchange,
                routingKey: key,
                mandatory: mandatory,
                channel: channel
            )
            #expect(try drained(used) == expected, "\(place)")
            // One without rarer properties between them.
            _ = try encode(bare([1]), exchange: exchange, routingKey: key)
        }
    }

    @Test func `the frames of text, JSON and values are used again for other bodies`() throws {
        let target = UnsafeMutableRawPointer.allocate(byteCount: 4096, alignment: 16)
        defer { target.deallocate() }
        let kinds: [(Int) throws -> Message] = [
            { try Message("\($0)", timestamp: nil) }, { try Message(json: .int(Int64($0)), timestamp: nil) },
            { try Message(encoding: ["id": $0], deliveryMode: .persistent, timestamp: nil) },
        ]
        for make in kinds {
            // What comes twice is kept.
            for number in 1...2 { _ = try encode(try make(number)) }
            let size = template.write(
                to: target,
                message: try make(3),
                exchange: "e",
                routingKey: "k",
                mandatory: false,
                channel: 1
            )
            #expect(size > 0)
        }
    }

    @Test func `frames used again are those of the same message, to the byte`() throws {
        // Swift takes these for equal texts; on the wire they are other bytes.
        let keys = [
            "key", "key", "\u{E9}", "e\u{301}", "\u{E9}", "K", "\u{212A}", "K", "a\u{301}\u{323}", "a\u{323}\u{301}",
        ]
        for key in keys {
            for body in [[1], [1, 2], []] as [[UInt8]] {
                var message = bare(body)
                message.contentType = key
                let all = frames(
                    in: try drained(
                        try encode(message, exchange: key, routingKey: key, channel: UInt16(body.count + 1))
                    )
                )
                var fields = all[0].fields
                _ = fields.short()
                #expect(Array(fields.shortString().utf8) == Array(key.utf8))
                #expect(Array(fields.shortString().utf8) == Array(key.utf8))
                var header = PeerReader(Array(all[1].payload.dropFirst(4)))
                #expect(header.longLong() == UInt64(body.count))
                _ = header.short()
                #expect(Array(header.shortString().utf8) == Array(key.utf8))
                #expect(all.allSatisfy { $0.channel == UInt16(body.count + 1) })
            }
        }
    }

    @Test func `each part of a message that differs from the last is sent`() throws {
        var first = Message(body: [1], contentType: "a", deliveryMode: .transient, priority: 1)
        first.timestampSeconds = 7
        var others: [Message] = []
        for change: (inout Message) -> Void in [
            { $0.contentType = "b" }, { $0.contentType = nil }, { $0.deliveryMode = .persistent },
            { $0.deliveryMode = nil }, { $0.priority = 2 }, { $0.priority = nil }, { $0.timestampSeconds = 8 },
            { $0.timestampSeconds = nil }, { $0.body = [] }, { $0.messageID = "m" },
        ] {
            var other = first
            change(&other)
            others.append(other)
        }
        var decoder = HeaderDecoder()
        for other in others {
            for message in [first, other, first] {
                let all = frames(in: try drained(try encode(message)))
                var decoded = try all[1].payload.withUnsafeBytes { try decoder.header($0).message }
                decoded.body = all.count > 2 ? all[2].payload : []
                #expect(decoded == message)
            }
        }
        let mandatory = frames(in: try drained(try encode(first, mandatory: true)))[0].payload.last
        let plain = frames(in: try drained(try encode(first, mandatory: false)))[0].payload.last
        #expect(mandatory == 1 && plain == 0)
    }

    @Test func `a name or a routing key that is no UTF-8 is refused, and nothing is left of it`() throws {
        let raw = String(amqpBytes: [0xFF])
        for (exchange, key) in [(raw, "k"), ("e", raw)] {
            let buffer = OutboundBuffer()
            #expect { try encode(bare([1]), exchange: exchange, routingKey: key, into: buffer) } throws: {
                AMQPError.Code.invalidArgument ~= $0
            }
            #expect(try drained(buffer).isEmpty)
        }
    }

    @Test func `a message that is sent on has the properties that it came with, byte for byte`() throws {
        var random = SplitMix(seed: 3)
        for _ in 0..<200 {
            // Content type, encoding, id, reply-to, expiration, message id, type, user, application.
            var properties = PeerWriter()
            properties.short(0b1100_0111_1011_1000)
            for _ in 0..<9 {
                let text = random.bytes(upTo: 255)
                properties.octet(UInt8(text.count))
                properties.raw(text)
            }
            let header = PeerFrame.header(channel: 1, bodySize: 0, properties: properties.bytes)
            var decoder = HeaderDecoder()
            let message = try header.payload.withUnsafeBytes { try decoder.header($0).message }
            try message.validate()
            let sent = frames(in: try drained(try encode(message)))
            #expect(sent[1].payload == header.payload)
        }
    }
}
