import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("consumer tags", .timeLimit(.minutes(1)))
struct ConsumerTagTests {
    @Test func `one that the channel uses already is refused, and nothing is sent`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            async let consuming = queue.consume(ConsumerOptions(tag: "a"))
            try await peer.startConsumer()
            let first = try await consuming
            let error = try await thrownError { try await queue.consume(ConsumerOptions(tag: "a")) }
            #expect(error.code == .invalidArgument)
            #expect(peer.pendingFrames == [])
            // Once it is cancelled the tag is free, before the broker has answered.
            let cancelling = Task { try await first.consumer.cancel() }
            try await peer.expect(.basicCancel)
            async let again = queue.consume(ConsumerOptions(tag: "a"))
            #expect(try await peer.expectConsume() == "a")
            try await peer.send(.basicCancelOk) { $0.shortString("a") }
            try await peer.send(.basicConsumeOk) { $0.shortString("a") }
            try await cancelling.value
            let second = try await again
            try await peer.send(PeerFrame.delivery([7], tag: 1, consumer: "a"))
            var iterator = second.makeAsyncIterator()
            #expect(try await iterator.next()?.body == [7])
            // A cancel by the broker frees it too.
            try await peer.send(.basicCancel) {
                $0.shortString("a")
                $0.octet(1)
            }
            try await eventually("it is cancelled") { second.consumer.cancelled }
            async let third = queue.consume(ConsumerOptions(tag: "a"))
            try await peer.startConsumer()
            _ = try await third
            #expect(connection.closeReason == nil)
        }
    }

    @Test func `made-up ones are none that the channel uses`() async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            var consumers = [try await peer.consume(queue)]
            let number = try #require(Int(consumers[0].consumer.tag.dropFirst("ctag-".count)))
            for next in 1...20 {
                async let consuming = queue.consume(ConsumerOptions(tag: "ctag-\(number + next)"))
                try await peer.startConsumer()
                consumers.append(try await consuming)
            }
            for _ in 0..<20 { consumers.append(try await peer.consume(queue)) }
            #expect(Set(consumers.map(\.consumer.tag)).count == consumers.count)
        }
    }

    @Test func `a limit whose caller has gone counts for consumers that begin behind it`() async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            let setting = Task { try await channel.setQos(prefetchCount: 5) }
            try await peer.expect(.basicQos)
            setting.cancel()
            await #expect(throws: CancellationError.self) { try await setting.value }
            #expect(channel.session.state.withLock { $0.prefetch.each } == 5)
        }
    }
}
