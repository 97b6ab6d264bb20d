import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("frames that break the protocol", .timeLimit(.minutes(1)))
struct BadFrameTests {
    /// Bytes that no broker may send to a client with channel 1 open, a consumer `c` on it, and nothing asked for.
    private static let bad: [(name: String, bytes: [UInt8])] = [
        ("no frame-end", Array(PeerFrame.heartbeat.bytes.dropLast()) + [0]),
        ("a huge frame", [3, 0, 1, 0x7F, 0xFF, 0xFF, 0xFF]),
        ("one byte over frame_max", [3, 0, 1, 0, 1, 0xFF, 0xF9]),
        ("an unknown type", PeerFrame(type: 4, channel: 1, payload: []).bytes),
        ("a heartbeat on a channel", PeerFrame(type: 8, channel: 1, payload: []).bytes),
        ("an unknown channel", PeerFrame.method(.basicGetEmpty, channel: 2).bytes),
        ("the last channel", PeerFrame.body(channel: .max, [1]).bytes),
        ("an unknown class", PeerFrame.method(PeerMethod(61, 10), channel: 1).bytes),
        ("an unknown method", PeerFrame.method(PeerMethod(60, 13), channel: 1).bytes),
        ("a client's method", PeerFrame.method(.basicPublish, channel: 1) { $0.raw([0, 0, 0, 0, 0]) }.bytes),
        ("a method without a number", PeerFrame(type: 1, channel: 1, payload: [0, 60, 0]).bytes),
        ("an empty method", PeerFrame(type: 1, channel: 1, payload: []).bytes),
        ("a truncated delivery", PeerFrame.method(.basicDeliver, channel: 1) { $0.raw([1, 99, 0, 0]) }.bytes),
        ("a truncated close", PeerFrame.method(.channelClose, channel: 1) { $0.raw([1]) }.bytes),
        ("a header of its own", PeerFrame.header(channel: 1, bodySize: 1).bytes),
        ("a body of its own", PeerFrame.body(channel: 1, [1]).bytes),
        ("a delivery to nobody", PeerFrame.delivery([1], tag: 1, consumer: "nobody").flatMap(\.bytes)),
        ("an answer to nothing", PeerFrame.method(.basicQosOk, channel: 1).bytes),
        ("a message for nothing", PeerFrame.method(.basicGetEmpty, channel: 1) { $0.shortString("") }.bytes),
        ("a close-ok unasked", PeerFrame.method(.channelCloseOk, channel: 1).bytes),
        ("a connection.close-ok unasked", PeerFrame.method(.connectionCloseOk, channel: 0).bytes),
        ("a secret's answer unasked", PeerFrame.method(.connectionUpdateSecretOk, channel: 0).bytes),
        (
            "a second start",
            PeerFrame.method(.connectionStart, channel: 0) { $0.raw([0, 9] + [UInt8](repeating: 0, count: 12)) }.bytes
        ),
        ("a channel's method on channel 0", PeerFrame.method(.basicQosOk, channel: 0).bytes),
        ("a connection's method on a channel", PeerFrame.method(.connectionUnblocked, channel: 1).bytes),
        ("content on channel 0", PeerFrame.body(channel: 0, []).bytes),
    ]

    /// The same, with the consumer's tag.
    private static func badContent(_ tag: String) -> [(name: String, frames: [PeerFrame])] {
        let delivery = PeerFrame.delivery([1, 2, 3], tag: 1, consumer: tag)
        let (deliver, header, body) = (delivery[0], delivery[1], delivery[2])
        let other = PeerFrame.method(.basicGetEmpty, channel: 1) { $0.shortString("") }
        var foreign = header
        foreign.payload[1] = 50
        let cut = PeerFrame(type: 2, channel: 1, payload: Array(header.payload.prefix(11)))
        func properties(_ bytes: [UInt8]) -> PeerFrame { .header(channel: 1, bodySize: 3, properties: bytes) }
        return [
            ("a delivery amid a delivery", [deliver, deliver]),
            ("a delivery amid a body", [deliver, header, deliver]),
            ("a method amid a delivery", [deliver, other]),
            ("a method amid a body", [deliver, header, .body(channel: 1, [1]), other]),
            ("a body without a header", [deliver, body]),
            ("two headers", [deliver, header, header]),
            ("a body larger than said", [deliver, header, .body(channel: 1, [1, 2, 3, 4])]),
            ("a body larger than said, in pieces", [deliver, header, .body(channel: 1, [1, 2]), body]),
            ("a body where none was said", [deliver, .header(channel: 1, bodySize: 0), body]),
            ("a header of another class", [deliver, foreign, body]),
            ("a header that is cut", [deliver, cut]),
            ("a header that ends in its properties", [deliver, properties([0x80, 0, 9, 65]), body]),
            ("headers that don't fit", [deliver, properties([0x20, 0, 0, 0, 0, 99]), body]),
            ("headers of an unknown kind", [deliver, properties([0x20, 0, 0, 0, 0, 3, 1, 65, 1]), body]),
        ]
    }

    @Test(arguments: bad.map(\.name))
    func `end the connection, and the peer is told`(name: String) async throws {
        let bytes = try #require(Self.bad.first { $0.name == name }).bytes
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            try await peer.send(bytes)
            try await expectViolation(peer, connection, deliveries)
        }
    }

    @Test(arguments: badContent("").map(\.name))
    func `content that is none ends the connection`(name: String) async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            let frames = try #require(Self.badContent(deliveries.consumer.tag).first { $0.name == name }).frames
            try await peer.send(frames)
            try await expectViolation(peer, connection, deliveries)
        }
    }

    private func expectViolation(_ peer: ScriptedPeer, _ connection: Connection, _ deliveries: Deliveries) async throws
    {
        // What is wrong in a message's properties is found as it is taken.
        let error = try await thrownError { for try await _ in deliveries {} }
        #expect(error.code == .protocolViolation)
        let reason = try await within(.seconds(10), "the end") { try await connection.closed }
        #expect(reason.kind == .lost)
        #expect(reason.error.code == .protocolViolation)
        let frames = try await peer.expectEnd()
        #expect(frames.contains { $0.method == .connectionClose })
        let later = try await thrownError { try await connection.openChannel() }
        #expect(later.code == .protocolViolation)
    }

    @Test func `danger: 26,000 levels in a message's headers, which end nothing and are cut`() async throws {
        var table = PeerWriter()
        table.block(deepEntries(levels: 26_000, inArrays: true))
        let properties = [0x20, 0] + table.bytes
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue, noAck: true)
            let deliver = PeerFrame.delivery([1], tag: 1, consumer: deliveries.consumer.tag)[0]
            try await peer.send([
                deliver, .header(channel: 1, bodySize: 1, properties: properties), .body(channel: 1, [1]),
            ])
            var iterator = deliveries.makeAsyncIterator()
            let message = try await iterator.next()
            #expect(message?.body == [1])
            var (value, levels) = (message?.headers?["k"], 1)
            while let inner = value?.arrayValue?.first {
                value = inner
                levels += 1
            }
            #expect(value == FieldValue.void && levels == NestingCheck.maxDepth)
            try await peer.roundTrip(on: channel)
            #expect(connection.isOpen)
            withExtendedLifetime((deliveries, iterator)) {}
        }
    }

    @Test func `danger: frames on 65,534 unknown channels end the connection at the first`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            var bytes: [UInt8] = []
            for number in 2...UInt16.max { bytes += PeerFrame.body(channel: number, [1]).bytes }
            try? await peer.send(bytes)
            let reason = try await within(.seconds(10), "the end") { try await connection.closed }
            #expect(reason.error.code == .protocolViolation)
            #expect(reason.error.message.contains("channel 2,"))
        }
    }

    @Test func `whatever a peer sends after the opening, the connection ends and nothing traps`() async throws {
        var random = SplitMix(seed: 9)
        for _ in 0..<60 {
            try await ScriptedPeer.withChannel { peer, connection, channel in
                let queue = try await peer.declareQueue(on: channel)
                let deliveries = try await peer.consume(queue)
                let consuming = Task { for try await _ in deliveries {} }
                var bytes = PeerFrame.delivery(random.bytes(upTo: 50), tag: 1, consumer: deliveries.consumer.tag)
                    .flatMap(\.bytes)
                for _ in 0..<3 {
                    let index = Int.random(in: 0..<bytes.count, using: &random)
                    bytes[index] = UInt8.random(in: 0...255, using: &random)
                }
                try? await peer.send(bytes + random.bytes(upTo: 100))
                peer.hangUp()
                _ = try await thrownError { try await consuming.value }
            }
        }
    }
}
