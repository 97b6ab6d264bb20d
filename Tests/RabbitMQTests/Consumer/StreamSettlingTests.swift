import RabbitMQ
import TestSupport
import Testing

@Suite("settling what says that it is a stream's", .timeLimit(.minutes(1)))
struct StreamSettlingTests {
    /// Lends messages of a queue whose type isn't known, each with the `x-stream-offset` that is given for it.
    private func withMessages(
        _ offsets: [UInt64?],
        taken: Int? = nil,
        _ body: (ScriptedPeer, [IncomingMessage]) async throws -> Void
    ) async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            async let limited: Void = channel.setQos(prefetchCount: 10)
            try await peer.expect(.basicQos)
            try await peer.send(.basicQosOk)
            try await limited
            let deliveries = try await peer.consume(try channel.queue("s"))
            for (index, offset) in offsets.enumerated() {
                try await peer.send(delivery(UInt64(index + 1), deliveries.consumer.tag, offset))
            }
            try await peer.roundTrip(on: channel)
            var messages: [IncomingMessage] = []
            for try await message in deliveries {
                messages.append(message)
                if messages.count == taken ?? offsets.count { break }
            }
            #expect(messages.map(\.streamOffset) == Array(offsets.prefix(messages.count)))
            try await peer.expect(.basicCancel)
            try await body(peer, messages)
        }
    }

    private func delivery(_ tag: UInt64, _ consumer: String, _ offset: UInt64?) -> [PeerFrame] {
        var headers = PeerWriter()
        if let offset {
            headers.shortString("x-stream-offset")
            headers.octet(UInt8(ascii: "l"))
            headers.longLong(offset)
        }
        var properties = PeerWriter()
        properties.short(0x2000)
        properties.block(headers.bytes)
        let deliver = PeerFrame.method(.basicDeliver, channel: 1) {
            $0.shortString(consumer)
            $0.longLong(tag)
            $0.octet(0)
            $0.shortString("")
            $0.shortString("s")
        }
        return [deliver, .header(channel: 1, bodySize: 1, properties: properties.bytes), .body(channel: 1, [1])]
    }

    @Test func `it is rejected as any other, by whatever asks for it`() async throws {
        struct Failure: Error {}
        try await withMessages([42, 43, 44, 45, 46]) { peer, messages in
            try messages[0].settle(.requeue)
            await #expect(throws: Failure.self) {
                try await messages[1].process(onError: .deadLetter) { _ in throw Failure() }
            }
            try messages[2].reject()
            try await peer.expect(.basicReject)
            try await peer.expect(.basicReject)
            try await peer.expect(.basicReject)
            try messages[3].nack(requeue: false)
            try await peer.expect(.basicNack)
            try messages[4].settle(.acknowledge)
            try await peer.expect(.basicAck)
        }
    }

    @Test(
        arguments: [[1, nil, 2, 3], [1, 2, 3, nil], [42, 42, 42, 42], [7, 6, 8, 9], [nil, 1, 2, 3]] as [[UInt64?]]
    )
    func `what can be no stream's goes back at once, with all that came with it`(offsets: [UInt64?]) async throws {
        try await withMessages(offsets, taken: 1) { peer, messages in
            #expect(try await peer.settlements(of: 2...4).returned == [2, 3, 4])
            try messages[0].ack()
        }
    }

    @Test(arguments: [
        ("inequivalent arg 'x-queue-type' for queue 's' in vhost '/': received 'any' but current is 'classic'", true),
        (
            "inequivalent arg 'x-queue-type' for queue 's' in vhost '/': received the value 'any' but current is none",
            true
        ),
        ("inequivalent arg 'x-queue-type' for queue 's' in vhost '/': received 'any' but current is 'stream'", false),
        ("inequivalent arg 'x-max-age' for queue 's' in vhost '/': received none but current is 'quorum'", false),
        ("no queue 's' in vhost '/'", false),
    ])
    func `what might be a stream's goes back when the broker says that it is none`(text: String, goesBack: Bool)
        async throws
    {
        try await withMessages([5, 6, 9, 10], taken: 1) { peer, messages in
            try await peer.openChannel(2)
            var asked = try await peer.expect(.queueDeclare, channel: 2).fields
            _ = asked.short()
            #expect(asked.shortString() == "s")
            #expect(peer.pendingFrames == [])
            try await peer.sendClose(.channelClose, channel: 2, code: 406, text: "PRECONDITION_FAILED - " + text)
            try await peer.expect(.channelCloseOk, channel: 2)
            if goesBack { #expect(try await peer.settlements(of: 2...4).returned == [2, 3, 4]) }
            try messages[0].ack()
            try await peer.expect(.basicAck, channel: 1)
        }
    }
}
