import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

/// From RabbitMQ 4.3 on, the end of a channel counts towards a quorum queue's delivery limit, and basic.nack doesn't.
@Suite("what consumers have not seen when their channel is closed", .timeLimit(.minutes(1)))
struct RetiringTests {
    private static let latest = ScriptedPeer.Tune(version: "4.3.6")

    /// Lends a consumer that has got deliveries 1 to 5, of which the first has been taken.
    private func withConsumer(
        _ tune: ScriptedPeer.Tune = latest,
        _ body: (ScriptedPeer, Channel, inout Deliveries.AsyncIterator) async throws -> Void
    ) async throws {
        try await ScriptedPeer.withChannel(tune: tune) { peer, _, channel in
            let deliveries = try await peer.consume(try await peer.declareQueue(on: channel))
            let tag = deliveries.consumer.tag
            try await peer.send((1...5).flatMap { PeerFrame.delivery([1], tag: $0, consumer: tag) })
            try await eventually("they have come") { channel.session.state.withLock { $0.settlements.end == 6 } }
            var iterator = deliveries.makeAsyncIterator()
            let first = try await iterator.next()
            #expect(first?.deliveryTag == 1)
            try await body(peer, channel, &iterator)
        }
    }

    /// Plays the broker's part until the consumer is cancelled.
    private func retire(_ peer: ScriptedPeer, late: Bool = true) async throws {
        let settled = try await peer.settlements(of: 2...5)
        #expect(settled.returned == [2, 3, 4, 5])
        let tag = try #require(settled.cancelled.first)
        if late {
            // It was on its way.
            try await peer.send(PeerFrame.delivery([1], tag: 6, consumer: tag))
            #expect(try await peer.settlements(of: 6...6).returned == [6])
        }
        #expect(peer.pendingFrames == [])
        try await peer.send(.basicCancelOk) { $0.shortString(tag) }
    }

    /// How the iteration ends.
    private func end(of iterator: inout Deliveries.AsyncIterator) async -> AMQPError.Code? {
        do {
            while try await iterator.next() != nil {}
            return nil
        } catch {
            return (error as? AMQPError)?.code
        }
    }

    @Test func `a channel's close gives it back first, also what still comes`() async throws {
        try await withConsumer { peer, channel, iterator in
            async let closing: Void = channel.close()
            try await retire(peer)
            try await peer.expect(.channelClose)
            try await peer.send(.channelCloseOk)
            await closing
            #expect(await end(of: &iterator) == .channelClosed)
            #expect(channel.closeReason?.code == .channelClosed)
        }
    }

    @Test func `so does a connection's close`() async throws {
        try await withConsumer { peer, channel, iterator in
            async let closing: Void = channel.connection.close()
            try await retire(peer)
            try await peer.expect(.connectionClose, channel: 0)
            try await peer.send(.connectionCloseOk, channel: 0)
            await closing
            #expect(await end(of: &iterator) == .connectionClosed)
        }
    }

    @Test func `what is acknowledged stays so, and one frame returns the rest`() async throws {
        try await withConsumer { peer, channel, iterator in
            let second = try #require(try await iterator.next())
            try second.ack(multiple: true)
            async let closing: Void = channel.close()
            let settled = try await peer.settlements(of: 1...5)
            #expect(settled.acknowledged == [1, 2] && settled.returned == [3, 4, 5])
            #expect(settled.frames == 2)
            try await peer.send(.basicCancelOk) { $0.shortString(settled.cancelled.first ?? "") }
            try await peer.expect(.channelClose)
            try await peer.send(.channelCloseOk)
            await closing
        }
    }

    @Test func `a consumer that was cancelled while its message is handled is no exception`() async throws {
        try await withConsumer { peer, channel, iterator in
            let consumer = iterator.sequence.consumer
            async let cancelling: Void = consumer.cancel()
            try await peer.expect(.basicCancel)
            try await peer.send(.basicCancelOk) { $0.shortString(consumer.tag) }
            try await cancelling
            async let closing: Void = channel.close()
            #expect(try await peer.settlements(of: 2...5).returned == [2, 3, 4, 5])
            try await peer.expect(.channelClose)
            try await peer.send(.channelCloseOk)
            await closing
            #expect(try await iterator.next() == nil)
        }
    }

    @Test func `a message that was asked for goes back when it comes`() async throws {
        try await ScriptedPeer.withChannel(tune: Self.latest) { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            let getting = Task { try await queue.get() }
            try await peer.expect(.basicGet)
            async let closing: Void = channel.close()
            let error = try await thrownError { _ = try await getting.value }
            #expect(error.code == .channelClosed)
            #expect(peer.pendingFrames == [])
            try await peer.send(PeerFrame.gotten([1], tag: 1))
            #expect(try await peer.settlements(of: 1...1).returned == [1])
            try await peer.expect(.channelClose)
            try await peer.send(.channelCloseOk)
            await closing
        }
    }

    @Test func `a consumer that has not begun is cancelled once it has`() async throws {
        try await ScriptedPeer.withChannel(tune: Self.latest) { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            let consuming = Task { try await queue.consume() }
            let tag = try await peer.expectConsume()
            async let closing: Void = channel.close()
            let error = try await thrownError { _ = try await consuming.value }
            #expect(error.code == .channelClosed)
            try await peer.send(.basicConsumeOk) { $0.shortString(tag) }
            try await peer.expect(.basicCancel)
            try await peer.send(.basicCancelOk) { $0.shortString(tag) }
            try await peer.expect(.channelClose)
            try await peer.send(.channelCloseOk)
            await closing
        }
    }

    @Test func `a broker that doesn't answer holds up nothing for long`() async throws {
        try await withConsumer { peer, channel, _ in
            async let closing: Void = channel.close()
            _ = try await peer.settlements(of: 2...5)
            try await peer.expect(.channelClose)
            try await peer.send(.channelCloseOk)
            await closing
        }
    }

    @Test func `if the broker closes the channel meanwhile, its reason counts`() async throws {
        try await withConsumer { peer, channel, _ in
            async let closing: Void = channel.close()
            _ = try await peer.settlements(of: 2...5)
            try await peer.sendClose(.channelClose, channel: 1, code: 404, text: "no queue")
            try await peer.expect(.channelCloseOk)
            await closing
            #expect(channel.closeReason?.code == .notFound)
        }
    }

    @Test(arguments: [nil, "3.10.8", "4.2.1", "4", "x.y"])
    func `where every return counts, a channel is closed at once`(version: String?) async throws {
        try await withConsumer(ScriptedPeer.Tune(version: version)) { peer, channel, _ in
            async let closing: Void = channel.close()
            try await peer.expect(.channelClose)
            try await peer.send(.channelCloseOk)
            await closing
        }
    }

    @Test func `consumers that have left nothing are not remembered`() async throws {
        try await ScriptedPeer.withChannel(tune: Self.latest) { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            var kept: [Deliveries] = []
            for _ in 0..<20 {
                let deliveries = try await peer.consume(queue)
                async let cancelling: Void = deliveries.consumer.cancel()
                try await peer.expect(.basicCancel)
                try await peer.send(.basicCancelOk) { $0.shortString(deliveries.consumer.tag) }
                try await cancelling
                kept.append(deliveries)
            }
            let session = channel.session
            let count = await connection.link.countOfLeaving(session)
            #expect(count == 0)
            withExtendedLifetime(kept) {}
        }
    }

    @Test func `messages over the limit that come meanwhile are passed over`() async throws {
        let log = CapturedLog()
        try await ScriptedPeer.withChannel(tune: Self.latest) {
            $0.maxMessageSize = 100
            $0.logger = log.logger
        } _: { peer, _, channel in
            let deliveries = try await peer.consume(try await peer.declareQueue(on: channel))
            let consumer = deliveries.consumer.tag
            func tooLarge(_ tag: UInt64) -> [PeerFrame] {
                let deliver = PeerFrame.delivery([], tag: tag, consumer: consumer)[0]
                return [deliver, .header(channel: 1, bodySize: 101), .body(channel: 1, [1])]
            }
            try await peer.send(tooLarge(1))
            try await peer.expect(.basicCancel)
            try await peer.send((2...20).flatMap(tooLarge))
            try await peer.send(.basicCancelOk) { $0.shortString(consumer) }
            var close = try await peer.expect(.channelClose).fields
            #expect(close.short() == 311)
            try await peer.send(.channelCloseOk)
            #expect(try await thrownError { for try await _ in deliveries {} }.code == .contentTooLarge)
            #expect(log.entries(containing: "a message is too large").count == 1)
        }
    }
}

extension Link {
    /// How many consumers are remembered that have ended.
    fileprivate func countOfLeaving(_ session: ChannelSession) -> Int? { receiver(of: session)?.leaving.count }
}
