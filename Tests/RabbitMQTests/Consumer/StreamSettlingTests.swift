import RabbitMQ
import TestSupport
import Testing

@Suite("settling what may be a stream's", .timeLimit(.minutes(1)))
struct StreamSettlingTests {
    private let log = CapturedLog()

    /// Lends messages with an `x-stream-offset` of a queue whose type isn't known.
    private func withMessages(
        _ count: UInt64,
        prefetch: UInt16 = 10,
        redelivered: Bool = false,
        _ body: (ScriptedPeer, [IncomingMessage]) async throws -> Void
    ) async throws {
        try await ScriptedPeer.withChannel(configure: { $0.logger = log.logger }) { peer, _, channel in
            async let limited: Void = channel.setQos(prefetchCount: prefetch)
            try await peer.expect(.basicQos)
            try await peer.send(.basicQosOk)
            try await limited
            let deliveries = try await peer.consume(try channel.queue("s"))
            for tag in 1...count {
                try await peer.send(delivery(tag, deliveries.consumer.tag, redelivered: redelivered))
            }
            var iterator = deliveries.makeAsyncIterator()
            var messages: [IncomingMessage] = []
            while messages.count < count { messages.append(try #require(try await iterator.next())) }
            #expect(messages.allSatisfy { $0.streamOffset == 42 })
            try await body(peer, messages)
            withExtendedLifetime(iterator) {}
        }
    }

    private func delivery(_ tag: UInt64, _ consumer: String, redelivered: Bool) -> [PeerFrame] {
        var offset = PeerWriter()
        offset.shortString("x-stream-offset")
        offset.octet(UInt8(ascii: "l"))
        offset.longLong(42)
        var properties = PeerWriter()
        properties.short(0x2000)
        properties.block(offset.bytes)
        let deliver = PeerFrame.method(.basicDeliver, channel: 1) {
            $0.shortString(consumer)
            $0.longLong(tag)
            $0.octet(redelivered ? 1 : 0)
            $0.shortString("")
            $0.shortString("s")
        }
        return [deliver, .header(channel: 1, bodySize: 1, properties: properties.bytes), .body(channel: 1, [1])]
    }

    @Test func `a policy that would give it back leaves it unsettled, and says so`() async throws {
        try await withMessages(3) { peer, messages in
            let error = #expect(throws: AMQPError.self) { try messages[0].settle(.requeue) }
            #expect(error?.code == .unsupported)
            struct Failure: Error {}
            await #expect(throws: Failure.self) {
                try await messages[1].process(onError: .deadLetter) { _ in throw Failure() }
            }
            #expect(log.entries(containing: "x-queue-type").count == 2)
            // Neither lost nor the end of the connection.
            #expect(peer.pendingFrames == [])
            try messages[2].settle(.acknowledge)
            try await peer.expect(.basicAck)
        }
    }

    @Test func `rejecting it is refused`() async throws {
        try await withMessages(1) { peer, messages in
            for reject: (IncomingMessage) throws -> Void in [{ try $0.reject() }, { try $0.nack(requeue: false) }] {
                let error = #expect(throws: AMQPError.self) { try reject(messages[0]) }
                #expect(error?.code == .unsupported)
            }
            #expect(peer.pendingFrames == [])
            try messages[0].ack()
            try await peer.expect(.basicAck)
        }
    }

    @Test func `what no stream delivers so is rejected, though it has come out of one`() async throws {
        try await withMessages(1, redelivered: true) { peer, messages in
            try messages[0].settle(.requeue)
            try await peer.expect(.basicReject)
        }
        try await withMessages(1, prefetch: 0) { peer, messages in
            try messages[0].reject()
            try await peer.expect(.basicReject)
        }
    }
}
