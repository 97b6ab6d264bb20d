import Glibc
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("what a delivery shares with the one before")
struct DeliveryTemplateTests {
    /// What may differ from delivery to delivery.
    private struct Sample {
        var tag: UInt64 = 1
        var redelivered = false
        var consumer = "c"
        var exchange = "exchange"
        var routingKey = "key"
        /// Flags, and the fields they announce.
        var properties: [UInt8] = [0x10, 0x00, 0x02]
        var body: [UInt8] = [1, 2, 3]

        var bytes: [UInt8] {
            let method = PeerFrame.method(.basicDeliver, channel: 1) {
                $0.shortString(consumer)
                $0.longLong(tag)
                $0.octet(redelivered ? 1 : 0)
                $0.shortString(exchange)
                $0.shortString(routingKey)
            }
            let header = [0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, UInt8(body.count)] + properties
            let frames = [
                method, PeerFrame(type: PeerFrame.Kind.header, channel: 1, payload: header),
                PeerFrame(type: PeerFrame.Kind.body, channel: 1, payload: body),
            ]
            return frames.flatMap(\.bytes)
        }
    }

    private func decode(_ sample: Sample, _ decoder: DeliveryDecoder) throws -> DecodedDelivery {
        try sample.bytes.withUnsafeBytes { bytes in try decoder.decode(try #require(bytes.baseAddress)) }
    }

    private func check(_ sample: Sample, _ decoder: DeliveryDecoder) throws {
        let (decoded, fresh) = (try decode(sample, decoder), try decode(sample, DeliveryDecoder()))
        #expect(decoded.message == fresh.message && decoded.message.body == sample.body)
        #expect(decoded.deliveryTag == sample.tag && decoded.redelivered == sample.redelivered)
        #expect(decoded.exchangeName == sample.exchange && decoded.routingKey == sample.routingKey)
    }

    @Test func `whatever comes behind whatever is decoded as by itself`() throws {
        let consumers = ["c", "d", "ce", ""]
        let routes = [
            ("exchange", "key"), ("exchang", "ekey"), ("exchange", "kez"), ("", ""),
            ("", String(repeating: "k", count: 255)),
        ]
        let text = { (flags: [UInt8], text: String) in flags + [UInt8(text.utf8.count)] + Array(text.utf8) }
        let properties: [[UInt8]] = [
            [0, 0], [0x10, 0, 1], [0x10, 0, 2], text([0x80, 0], "text/plain"), text([0x04, 0], "id-1"),
            text([0x04, 0], "id-2"),
            text([0x40, 0], "gzip"),
        ]
        var random = SystemRandomNumberGenerator()
        let decoder = DeliveryDecoder()
        for tag in 1...2_000 as ClosedRange<UInt64> {
            let route = routes.randomElement(using: &random) ?? ("", "")
            try check(
                Sample(
                    tag: tag,
                    redelivered: .random(using: &random),
                    consumer: consumers.randomElement(using: &random) ?? "",
                    exchange: route.0,
                    routingKey: route.1,
                    properties: properties.randomElement(using: &random) ?? [],
                    body: [UInt8](repeating: 7, count: .random(in: 1...3, using: &random))
                ),
                decoder
            )
        }
    }

    @Test(arguments: [[[0x10, 0, 1], [0x10, 0, 1]], [[0x10, 0, 1], [0x10, 0, 2]]] as [[[UInt8]]])
    func `danger: nobody keeps a body whose message is gone`(properties: [[UInt8]]) throws {
        let decoder = DeliveryDecoder()
        for number in 0..<4 {
            let sample = Sample(properties: properties[number % 2], body: [UInt8](repeating: 7, count: 200))
            var body = try decode(sample, decoder).message.body
            // If somebody else held it, a change would copy it.
            let before = body.withUnsafeBufferPointer { $0.baseAddress }
            body[0] = 8
            let after = body.withUnsafeBufferPointer { $0.baseAddress }
            #expect(before == after)
        }
    }

    @Test func `what is malformed is an error, also behind what is like it but for that`() throws {
        let decoder = DeliveryDecoder()
        try check(Sample(), decoder)
        var bytes = Sample().bytes
        // The class in the content header, 7 bytes behind the beginning of its frame.
        let header = try #require(
            bytes.indices.first { bytes[$0...].starts(with: [0, 60, 0, 0, 0, 0]) && bytes[$0 - 7] == 2 }
        )
        bytes[header + 1] = 61
        #expect(throws: AMQPError.self) {
            try bytes.withUnsafeBytes { bytes in _ = try decoder.decode(try #require(bytes.baseAddress)) }
        }
        // Flags that announce a text that is not there.
        #expect(throws: AMQPError.self) { try decode(Sample(properties: [0x80, 0x00]), decoder) }
        try check(Sample(), decoder)
    }

    @Test func `rarer properties that come again are the same object, longer than 2 KiB not`() throws {
        let decoder = DeliveryDecoder()
        let short = Sample(properties: [0x04, 0, 2, 105, 100])
        let extras = try (1...2).map { _ in try #require(try decode(short, decoder).message.extras) }
        #expect(extras[0] === extras[1])
        var writer = PeerWriter()
        writer.shortString("h")
        let table = writer.bytes + [UInt8(ascii: "S"), 0, 0, 8, 0] + [UInt8](repeating: 97, count: 2048)
        let long = Sample(properties: [0x20, 0, 0, 0] + [UInt8(table.count >> 8), UInt8(table.count & 255)] + table)
        let others = try (1...2).map { _ in try #require(try decode(long, decoder).message.extras) }
        #expect(others[0] !== others[1] && others[0] == others[1])
    }
}
