import TestSupport
import Testing

@testable import RabbitMQ

/// RabbitMQ sends deliveries behind its own channel.close until it has read our close-ok, and a few for a consumer that it
/// has cancelled.
@Suite("frames that come late", .timeLimit(.minutes(1)))
struct LateFramesTests {
    private func close(_ peer: ScriptedPeer, _ channel: UInt16 = 1) async throws {
        try await peer.sendClose(.channelClose, channel: channel, code: 404, text: "NOT_FOUND - no exchange 'x'")
    }

    private func expectAlive(_ peer: ScriptedPeer, _ connection: Connection, _ number: UInt16) async throws {
        let channel = try await peer.openChannel(on: connection, number)
        try await peer.roundTrip(on: channel)
        #expect(connection.closeReason == nil)
    }

    @Test(arguments: [1, 2, 10])
    func `deliveries behind the broker's channel.close are passed over`(consumers: Int) async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            var all: [Deliveries] = []
            for _ in 0..<consumers { all.append(try await peer.consume(queue)) }
            let tags = all.map(\.consumer.tag)
            try await close(peer)
            for tag in 1...20 as ClosedRange<UInt64> {
                try await peer.send(PeerFrame.delivery([1, 2], tag: tag, consumer: tags[Int(tag) % consumers]))
            }
            try await peer.expect(.channelCloseOk, channel: 1)
            _ = try await channel.closed
            for deliveries in all {
                #expect(try await thrownError { for try await _ in deliveries {} }.code == .notFound)
            }
            try await expectAlive(peer, connection, 1)
        }
    }

    @Test func `they are passed over too when the number is used again, until open-ok`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            let tag = deliveries.consumer.tag
            try await close(peer)
            _ = try await channel.closed
            async let second = connection.openChannel()
            try await peer.expect(.channelCloseOk, channel: 1)
            _ = try await channel.closed
            try await peer.expect(.channelOpen, channel: 1)
            let late = PeerFrame.delivery([1, 2], tag: 1, consumer: tag)
            try await peer.send(late + late)
            try await peer.send(.basicAck) { $0.raw([0, 0, 0, 0, 0, 0, 0, 1, 0]) }
            try await peer.send(.channelOpenOk, channel: 1) { $0.longString("") }
            try await peer.roundTrip(on: try await second)
            #expect(connection.closeReason == nil)
            withExtendedLifetime(deliveries) {}
        }
    }

    @Test func `even behind open-ok, deliveries for the other channel's consumers are passed over`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            try await close(peer)
            try await peer.expect(.channelCloseOk, channel: 1)
            _ = try await channel.closed
            let second = try await peer.openChannel(on: connection, 1)
            let next = try await peer.consume(try await peer.declareQueue(on: second))
            try await peer.send(PeerFrame.delivery([1, 2], tag: 7, consumer: deliveries.consumer.tag))
            let split = PeerFrame.delivery([1, 2], tag: 8, consumer: deliveries.consumer.tag)
            try await peer.send([split[0], split[1], .body(channel: 1, [1]), .body(channel: 1, [2])])
            try await peer.send(PeerFrame.delivery([9], tag: 1, consumer: next.consumer.tag))
            var iterator = next.makeAsyncIterator()
            let message = try #require(try await iterator.next())
            #expect(message.body == [9])
            try message.ack()
            var ack = try await peer.expect(.basicAck, channel: 1).fields
            #expect(ack.longLong() == 1)
            withExtendedLifetime(deliveries) {}
        }
    }

    @Test func `a number whose consumers had tags of their own choice is not given again at once`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            async let consuming = queue.consume(ConsumerOptions(tag: "worker"))
            try await peer.startConsumer()
            let deliveries = try await consuming
            try await close(peer)
            try await peer.expect(.channelCloseOk, channel: 1)
            _ = try await channel.closed
            let second = try await peer.openChannel(on: connection, 2)
            try await peer.send(PeerFrame.delivery([1, 2], tag: 7, consumer: "worker"))
            try await expectAlive(peer, connection, 3)
            withExtendedLifetime((deliveries, second)) {}
        }
    }

    @Test(arguments: [1, 2, 3])
    func `a message that the broker's channel.close cuts in two is passed over`(sent: Int) async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            let message = PeerFrame.delivery([1, 2, 3], tag: 1, consumer: deliveries.consumer.tag)
            let frames = [message[0], message[1], .body(channel: 1, [1]), .body(channel: 1, [2, 3])]
            try await peer.send(Array(frames.prefix(sent)))
            try await close(peer)
            try await peer.send(Array(frames.dropFirst(sent)))
            try await peer.expect(.channelCloseOk, channel: 1)
            _ = try await channel.closed
            #expect(try await thrownError { for try await _ in deliveries {} }.code == .notFound)
            async let second = connection.openChannel()
            try await peer.expect(.channelOpen, channel: 1)
            try await peer.send(.body(channel: 1, [4]))
            try await peer.send(.channelOpenOk, channel: 1) { $0.longString("") }
            try await peer.roundTrip(on: try await second)
            #expect(connection.closeReason == nil)
        }
    }

    @Test func `what comes behind close-ok is passed over`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let tag = try await peer.consume(queue).consumer.tag
            async let closing: Void = channel.close()
            while try await peer.next().method != .channelClose {}
            try await peer.send(.channelCloseOk, channel: 1)
            await closing
            try await peer.send(PeerFrame.delivery([1, 2], tag: 1, consumer: tag))
            try await peer.send(.channelCloseOk, channel: 1)
            try await expectAlive(peer, connection, 1)
        }
    }

    @Test func `the broker may refuse to open a channel whose number was used before`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            try await close(peer)
            try await peer.expect(.channelCloseOk, channel: 1)
            _ = try await channel.closed
            async let second = connection.openChannel()
            try await peer.expect(.channelOpen, channel: 1)
            try await peer.sendClose(.channelClose, channel: 1, code: 506, text: "RESOURCE_ERROR - too many")
            try await peer.expect(.channelCloseOk, channel: 1)
            _ = try await channel.closed
            do {
                _ = try await second
                Issue.record("it was opened")
            } catch let error as AMQPError {
                #expect(error.code == .resourceError)
            }
            try await expectAlive(peer, connection, 1)
        }
    }

    @Test(arguments: [false, true])
    func `deliveries for a consumer that has just ended go back`(isCancelledByBroker: Bool) async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            let consumer = deliveries.consumer
            if isCancelledByBroker {
                try await peer.send(.basicCancel) {
                    $0.shortString(consumer.tag)
                    $0.octet(1)
                }
            } else {
                async let cancelling: Void = consumer.cancel()
                try await peer.expect(.basicCancel, channel: 1)
                try await peer.send(.basicCancelOk) { $0.shortString(consumer.tag) }
                try await cancelling
            }
            // Whole, in pieces, and without a body.
            try await peer.send(PeerFrame.delivery([1, 2], tag: 1, consumer: consumer.tag))
            let split = PeerFrame.delivery([1, 2], tag: 2, consumer: consumer.tag)
            try await peer.send([split[0], split[1], .body(channel: 1, [1]), .body(channel: 1, [2])])
            try await peer.send([
                PeerFrame.delivery([], tag: 3, consumer: consumer.tag)[0], .header(channel: 1, bodySize: 0),
            ])
            var returned: Set<UInt64> = []
            while returned.count < 3 { returned.formUnion(try await returnedTags(peer)) }
            #expect(returned == [1, 2, 3])
            try await peer.roundTrip(on: channel)
            #expect(connection.closeReason == nil)
            withExtendedLifetime(deliveries) {}
        }
    }

    /// The tags that the next frame gives back.
    private func returnedTags(_ peer: ScriptedPeer) async throws -> Set<UInt64> {
        let frame = try await peer.next("a rejection")
        var fields = frame.fields
        let tag = fields.longLong()
        if frame.method == .basicReject { return [tag] }
        guard frame.method == .basicNack else { throw PeerError("expected a rejection, got \(frame)") }
        return fields.octet() & 1 == 1 ? Set(1...tag) : [tag]
    }

    @Test func `those without acknowledgement are dropped, and nothing is sent`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue, noAck: true)
            let consumer = deliveries.consumer
            try await peer.send(.basicCancel) {
                $0.shortString(consumer.tag)
                $0.octet(1)
            }
            try await peer.send(PeerFrame.delivery([1, 2], tag: 1, consumer: consumer.tag))
            try await peer.roundTrip(on: channel)
            #expect(connection.closeReason == nil)
            #expect(peer.pendingFrames == [])
            withExtendedLifetime(deliveries) {}
        }
    }

    @Test func `only so many consumers that have ended are remembered, the last`() {
        var ended = EndedConsumers()
        let entry = EndedConsumers.Entry(noAck: false, isStream: nil)
        for number in 0...EndedConsumers.most { ended.remember("tag-\(number)", entry) }
        #expect(ended["tag-0"] == nil)
        #expect(ended["tag-1"] == entry)
        ended.remember("tag-1", entry)
        ended.forget("tag-2")
        ended.remember("new", entry)
        #expect(ended["tag-1"] == entry)
        #expect(ended["tag-2"] == nil)
        #expect(ended["new"] == entry)
    }
}
