import TestSupport
import Testing

@testable import RabbitMQ

@Suite("serving calls that come from a scripted peer", .timeLimit(.minutes(1)))
struct RPCServingTests {
    /// The channel of the server, behind the one of the queue.
    private static let channel: UInt16 = 2

    /// Starts a server with the peer playing its part, and lends it and what makes a request for it.
    private func withServer(
        configure: (inout ConnectionConfiguration) -> Void = { _ in },
        handler: @escaping @Sendable (IncomingMessage) async throws -> Message,
        _ body: (ScriptedPeer, RPCServer, _ consumer: String) async throws -> Void
    ) async throws {
        try await ScriptedPeer.withChannel(configure: configure) { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            async let server = queue.serveMessages(handler: handler)
            try await peer.openChannel(Self.channel)
            try await peer.expect(.basicQos, channel: Self.channel)
            try await peer.send(.basicQosOk, channel: Self.channel)
            let tag = try await peer.startConsumer(channel: Self.channel)
            try await body(peer, try await server, tag)
        }
    }

    private func request(
        _ deliveryTag: UInt64,
        to consumer: String,
        correlationID: [UInt8] = [7],
        replyTo: [UInt8] = Array("replies".utf8)
    ) -> [PeerFrame] {
        var properties = PeerWriter()
        properties.short(0x0600)
        for text in [correlationID, replyTo] {
            properties.octet(UInt8(text.count))
            properties.raw(text)
        }
        var frames = PeerFrame.delivery([1], tag: deliveryTag, consumer: consumer, channel: Self.channel)
        frames[1] = .header(channel: Self.channel, bodySize: 1, properties: properties.bytes)
        return frames
    }

    /// Waits for a basic.reject, and says whether it asks for another delivery.
    private func expectReject(_ peer: ScriptedPeer, of deliveryTag: UInt64) async throws -> Bool {
        var fields = try await peer.expect(.basicReject, channel: Self.channel).fields
        #expect(fields.longLong() == deliveryTag)
        return fields.octet() != 0
    }

    private func expectAck(_ peer: ScriptedPeer, of deliveryTag: UInt64) async throws {
        var fields = try await peer.expect(.basicAck, channel: Self.channel).fields
        #expect(fields.longLong() == deliveryTag)
    }

    @Test(
        arguments: [
            Array("call 7".utf8), [0xC3, 0x28, 0, 0xFF, 0x80, 0xEF, 0xBF, 0xBD, 0xF0, 0x9F, 1, 2, 3, 4, 5, 0xFE],
            [UInt8](repeating: 0xFF, count: 255), [], [0],
        ] as [[UInt8]]
    )
    func `the reply has the request's id, byte for byte`(bytes: [UInt8]) async throws {
        try await withServer { request in
            Message(body: request.body, timestamp: nil)
        } _: { peer, _, consumer in
            try await peer.send(request(1, to: consumer, correlationID: bytes))
            try await peer.expect(.basicPublish, channel: Self.channel)
            let header = try await peer.next("a content header")
            // class, weight, size, flags; content type; correlation id
            let type = Array("application/octet-stream".utf8)
            let id = header.payload.dropFirst(14 + 1 + type.count)
            #expect(Array(id) == [UInt8(bytes.count)] + bytes)
            _ = try await peer.next("a body")
            try await expectAck(peer, of: 1)
        }
    }

    @Test func `a request whose address is no text is not run, and does not come back`() async throws {
        let runs = Collected<UInt64>()
        try await withServer { request in
            runs.add(request.deliveryTag)
            return Message(body: request.body)
        } _: { peer, _, consumer in
            try await peer.send(request(1, to: consumer, replyTo: [0xC3, 0x28]))
            #expect(try await !expectReject(peer, of: 1))
            try await peer.send(request(2, to: consumer))
            let reply = try await peer.expectPublish(channel: Self.channel)
            #expect(reply.routingKey == "replies")
            try await expectAck(peer, of: 2)
            #expect(runs.all == [2])
        }
    }

    @Test func `a request whose reply, and the error in its place, can't be sent is run once`() async throws {
        let runs = Collected<UInt64>()
        try await withServer { configuration in
            configuration.maxMessageSize = 3
        } handler: { request in
            runs.add(request.deliveryTag)
            return Message(body: [1, 2, 3, 4])
        } _: { peer, _, consumer in
            try await peer.send(request(1, to: consumer))
            #expect(try await !expectReject(peer, of: 1))
            #expect(runs.all == [1])
        }
    }

    @Test func `a reply waits for as long as the broker takes none, and its request is run once`() async throws {
        let runs = Collected<UInt64>()
        let log = CapturedLog()
        try await withServer { configuration in
            configuration.publishTimeout = .milliseconds(20)
            configuration.logger = log.logger
        } handler: { request in
            runs.add(request.deliveryTag)
            return Message(body: request.body)
        } _: { peer, _, consumer in
            try await peer.send(.connectionBlocked, channel: 0) { $0.shortString("low on memory") }
            try await peer.send(request(1, to: consumer))
            try await eventually("it has waited twice") { log.entries(containing: "a reply waits").count >= 2 }
            try await peer.send(.connectionUnblocked, channel: 0)
            let reply = try await peer.expectPublish(channel: Self.channel)
            #expect(reply.body == [1])
            try await expectAck(peer, of: 1)
            #expect(runs.all == [1])
        }
    }

    @Test func `the grace of stopping is kept although the broker does not answer`() async throws {
        let begun = Collected<Bool>()
        let cancelled = Collected<Bool>()
        try await withServer { configuration in
            configuration.callTimeout = .seconds(300)
        } handler: { _ in
            begun.add(true)
            do {
                try await Task.sleep(for: .seconds(600))
            } catch {
                cancelled.add(true)
                throw error
            }
            return Message(body: [])
        } _: { peer, server, consumer in
            try await peer.send(request(1, to: consumer))
            try await eventually("it is begun") { begun.count == 1 }
            let stopping = Task { await server.stop(within: .milliseconds(100)) }
            try await peer.expect(.basicCancel, channel: Self.channel)
            // By basic.nack, which doesn't count towards a delivery limit where nobody has failed.
            var fields = try await peer.expect(.basicNack, channel: Self.channel).fields
            #expect(fields.longLong() == 1)
            #expect(fields.octet() == 2)
            #expect(cancelled.count == 1)
            try await peer.expect(.channelClose, channel: Self.channel)
            try await peer.send(.channelCloseOk, channel: Self.channel)
            try await within(.seconds(10), "the server stops") { await stopping.value }
        }
    }
}
