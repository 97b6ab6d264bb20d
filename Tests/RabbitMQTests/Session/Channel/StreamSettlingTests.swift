import RabbitMQ
import TestSupport
import Testing

@Suite("settling what says that it is a stream's", .timeLimit(.minutes(1)))
struct StreamSettlingTests {
    /// Lends messages of a queue whose type isn't known, each with the `x-stream-offset` that is given for it.
    private func withMessages(
        _ offsets: [UInt64?],
        taken: Int? = nil,
        log: CapturedLog = CapturedLog(),
        _ body: (ScriptedPeer, Channel, [IncomingMessage]) async throws -> Void
    ) async throws {
        try await ScriptedPeer.withChannel(configure: { $0.logger = log.logger }) { peer, _, channel in
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
            try await body(peer, channel, messages)
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
        try await withMessages([42, 43, 44, 45, 46]) { peer, _, messages in
            try messages[0].settle(.requeue)
            await #expect(throws: Failure.self) {
                try await messages[1].process(onFailure: .deadLetter) { _ in throw Failure() }
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
        try await withMessages(offsets, taken: 1) { peer, _, messages in
            #expect(try await peer.settlements(of: 2...4).returned == [2, 3, 4])
            try messages[0].ack()
        }
    }

    private static func inequivalent(_ argument: String, _ found: String) -> String {
        "PRECONDITION_FAILED - inequivalent arg '\(argument)' for queue 's' in vhost '/': received " + found
    }

    private enum Settlement { case none, ack, nack }

    /// Expects the question whether the queue is a stream, and answers it.
    private func answer(_ peer: ScriptedPeer, code: UInt16 = 406, _ text: String) async throws {
        try await peer.openChannel(2)
        var asked = try await peer.expect(.queueDeclare, channel: 2).fields
        _ = asked.short()
        #expect(asked.shortString() == "s")
        #expect(peer.pendingFrames == [])
        try await peer.sendClose(.channelClose, channel: 2, code: code, text: text)
        try await peer.expect(.channelCloseOk, channel: 2)
    }

    @Test(
        arguments: [
            (406, inequivalent("x-queue-type", "'any' but current is 'classic'"), .nack),
            (406, inequivalent("x-queue-type", "the value 'any' but current is none"), .nack),
            (406, inequivalent("x-queue-type", "'any' but current is 'stream'"), .ack),
            (406, inequivalent("x-max-age", "none but current is 'quorum'"), .none),
            (406, inequivalent("durable", "'true' but current is 'false'"), .nack),
            (406, inequivalent("auto_delete", "'false' but current is 'true'"), .nack),
            (406, inequivalent("auto_delete", "'true' but current is 'false'"), .none),
            (405, "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 's' in vhost '/'", .nack),
            (403, "ACCESS_REFUSED - configure access to queue 's' in vhost '/' refused for user 'u'", .none),
            (404, "NOT_FOUND - no queue 's' in vhost '/'", .none),
        ] as [(UInt16, String, Settlement)]
    )
    private func `what might be a stream's is settled as the broker says that it can be`(
        code: UInt16,
        text: String,
        expected: Settlement
    ) async throws {
        try await withMessages([5, 6, 9, 10], taken: 1) { peer, _, messages in
            try await answer(peer, code: code, text)
            if expected != .none {
                let settled = try await peer.settlements(of: 2...4)
                #expect(settled.returned == (expected == .nack ? [2, 3, 4] : []))
                #expect(settled.acknowledged == (expected == .ack ? [2, 3, 4] : []))
            }
            try messages[0].ack()
            try await peer.expect(.basicAck, channel: 1)
        }
    }

    /// Has the handler of a message cancelled.
    private func cancelHandler(of message: IncomingMessage) async {
        let task = Task {
            try await message.process { _ in try await Task.sleep(for: .seconds(60)) }
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test(arguments: ["stream", "classic"])
    func `what a cancelled handler leaves waits for the answer as well`(type: String) async throws {
        try await withMessages([5]) { peer, _, messages in
            await cancelHandler(of: messages[0])
            try await answer(peer, Self.inequivalent("x-queue-type", "'any' but current is '\(type)'"))
            let settled = try await peer.settlements(of: 1...1)
            #expect(settled.returned == (type == "classic" ? [1] : []))
        }
    }

    @Test func `nothing is asked for what its handler has settled before it was cancelled`() async throws {
        try await withMessages([5]) { peer, channel, messages in
            try messages[0].ack()
            try await peer.expect(.basicAck)
            await cancelHandler(of: messages[0])
            try await peer.roundTrip(on: channel)
            #expect(peer.pendingFrames == [])
        }
    }

    @Test func `where the broker didn't tell it is asked again, with the next that goes back`() async throws {
        let log = CapturedLog()
        try await withMessages([5, 6, 9, 10], taken: 1, log: log) { peer, _, messages in
            try await answer(peer, code: 403, "ACCESS_REFUSED")
            try await eventually("the refusal is heard") { log.entries(containing: "messages stay").count == 1 }
            await cancelHandler(of: messages[0])
            try await answer(peer, Self.inequivalent("x-queue-type", "'any' but current is 'quorum'"))
            #expect(try await peer.settlements(of: 1...4).returned == [1, 2, 3, 4])
        }
    }

    @Test func `what turns out to be none by a later delivery goes back, whatever the broker says`() async throws {
        try await withMessages([5, 6, 9, 10], taken: 1) { peer, _, messages in
            try await answer(peer, code: 403, "ACCESS_REFUSED")
            try await peer.send(delivery(5, messages[0].consumerTag ?? "", nil))
            #expect(try await peer.settlements(of: 2...5).returned == [2, 3, 4, 5])
            try messages[0].ack()
        }
    }

    @Test func `a delivery that comes late for a stream's consumer is acknowledged`() async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            async let limited: Void = channel.setQos(prefetchCount: 10)
            try await peer.expect(.basicQos)
            try await peer.send(.basicQosOk)
            try await limited
            let queue = try channel.queue("s")
            async let consuming = queue.consume(ConsumerOptions(streamOffset: .first))
            let tag = try await peer.startConsumer()
            let deliveries = try await consuming
            async let cancelling: Void = deliveries.consumer.cancel()
            try await peer.expect(.basicCancel)
            try await peer.send(.basicCancelOk) { $0.shortString(tag) }
            try await cancelling
            try await peer.send(delivery(1, tag, 42))
            #expect(try await peer.settlements(of: 1...1).acknowledged == [1])
        }
    }
}
