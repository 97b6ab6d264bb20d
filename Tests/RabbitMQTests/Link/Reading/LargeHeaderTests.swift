import TestSupport
import Testing

@testable import RabbitMQ

@Suite("property flags that go on, where nothing does", .timeLimit(.minutes(1)))
struct FlagsThatGoOnTests {
    /// RabbitMQ 3.10 and 4.3 hand such a message on as it was published.
    @Test func `come with their messages, and end nothing`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue, noAck: true)
            var table = PeerWriter()
            table.block([1, 0x6B, UInt8(ascii: "t"), 1])
            let properties: [[UInt8]] = [
                [0, 1], [0x80, 1, 1, 0x78], [0xA0, 1, 1, 0x78] + table.bytes, [0x80, 3, 1, 0x78],
            ]
            for (index, properties) in properties.enumerated() {
                let tag = UInt64(index + 1)
                let deliver = PeerFrame.delivery([7], tag: tag, consumer: deliveries.consumer.tag)[0]
                let header = PeerFrame.header(channel: 1, bodySize: 1, properties: properties)
                try await peer.send([deliver, header, .body(channel: 1, [7])])
            }
            var iterator = deliveries.makeAsyncIterator()
            for properties in properties {
                let message = try await iterator.next()
                #expect(message?.body == [7])
                #expect(message?.contentType == (properties[0] & 0x80 == 0 ? nil : "x"))
                #expect(message?.headers == (properties[0] & 0x20 == 0 ? nil : ["k": true]))
            }
            #expect(connection.isOpen)
            withExtendedLifetime((deliveries, iterator)) {}
        }
    }
}

@Suite("content headers beyond the frames that were agreed on", .timeLimit(.minutes(1)))
struct LargeHeaderTests {
    /// Properties with one header of so many bytes.
    private func properties(_ count: Int) -> [UInt8] {
        var text = PeerWriter()
        text.block([UInt8](repeating: 0x78, count: count))
        var table = PeerWriter()
        table.block([1, 0x6B, UInt8(ascii: "S")] + text.bytes)
        return [0x20, 0] + table.bytes
    }

    @Test(arguments: [100, 131_072, 300_000, 1_000_000])
    func `come with their messages, and end nothing`(count: Int) async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue, noAck: true)
            let header = PeerFrame.header(channel: 1, bodySize: 1, properties: properties(count))
            let bodies: [[UInt8]] = [[7], [8], [9]]
            var iterator = deliveries.makeAsyncIterator()
            for (index, body) in bodies.enumerated() {
                let tag = UInt64(index + 1)
                let deliver = PeerFrame.delivery(body, tag: tag, consumer: deliveries.consumer.tag)[0]
                try await peer.send([deliver, header, .body(channel: 1, body)])
                // Nothing is read behind so much that nobody takes.
                let message = try await iterator.next()
                #expect(message?.body == body)
                #expect(message?.headers?["k"]?.stringValue?.utf8.count == count)
            }
            #expect(connection.isOpen)
            withExtendedLifetime((deliveries, iterator)) {}
        }
    }
}
