import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("Consumers that are begun again", .timeLimit(.minutes(1)))
struct BegunAgainTests {
    /// - Parameter silent: What is not answered either: a broker may leave the old session's close so, too.
    @Test(arguments: [[], [.channelClose]] as [Set<PeerMethod>])
    func `one that is taken up again and not answered in time comes back on another session`(
        silent: Set<PeerMethod>
    ) async throws {
        let script = ScriptedClient.script { $0.silent = silent }
        try await ScriptedClient.run([script]) {
            $0.callTimeout = .seconds(1)
            $0.closeTimeout = .seconds(1)
        } _: { client in
            let session = try client.broker.session
            let deliveries = try await client.channel.declareQueue("q").consume()
            session.refuse(.init(.basicConsume, code: 0))
            try await session.cancel(consumer: deliveries.consumer.tag)
            try await client.waitForConsumers(1)
            #expect(session.methods.filter { $0 == .basicConsume }.count == 3)
            #expect(client.broker.sessions.count == 1 && !deliveries.consumer.isCancelling)
            try await eventually("the channel is open again") { !client.channel.core.isWaiting }
            let number = UInt16(client.channel.number)
            try await session.deliver("x", tag: 1, consumer: deliveries.consumer.tag, channel: number)
            var messages = deliveries.makeAsyncIterator()
            let message = try #require(try await messages.next())
            #expect(message.body == Array("x".utf8))
        }
    }

    @Test func `an answer that comes too late for one that was there before doesn't end it`() async throws {
        try await ScriptedClient.run { client in
            let deliveries = try await client.channel.declareQueue("q").consume()
            let session = try client.broker.session
            let (core, tag) = (client.channel.core, deliveries.consumer.tag)
            let subscription = try #require(core.state.withLock { $0.subscriptions.first })
            // As if the broker had cancelled it.
            core.session.state.withLock { $0.forgetConsumer(tag) }
            session.refuse(.init(.basicConsume, code: 0))
            let call = try core.begin(subscription, on: core.session)
            call.reply.fail(AMQPError(.timedOut, "it was not answered in time"))
            try await session.peer.send(.basicConsumeOk) { $0.shortString(tag) }
            try await session.deliver("x", tag: 1, consumer: tag)
            var messages = deliveries.makeAsyncIterator()
            let message = try #require(try await messages.next())
            #expect(message.body == Array("x".utf8))
            #expect(!deliveries.consumer.isCancelling && !session.methods.contains(.basicCancel))
        }
    }

    @Test func `one that can't begin on a session that has ended stays with its own`() async throws {
        try await ScriptedClient.run { client in
            let deliveries = try await client.channel.declareQueue("q").consume()
            let core = client.channel.core
            let subscription = try #require(core.state.withLock { $0.subscriptions.first })
            let other = try await ChannelSession.open(on: client.connection.core.link)
            other.closeInBackground()
            #expect(throws: AMQPError.self) { _ = try core.begin(subscription, on: other) }
            #expect(deliveries.consumer.source.session === core.session)
            try await within(.seconds(5), "it is cancelled") { try await deliveries.consumer.cancel() }
            #expect(try client.broker.session.consumers.isEmpty)
        }
    }

    @Test func `the tag of one that comes back is taken meanwhile`() async throws {
        try await ScriptedClient.run { client in
            let queue = try await client.channel.declareQueue("q")
            let deliveries = try await queue.consume()
            let tag = deliveries.consumer.tag
            // As if the broker had cancelled it.
            client.channel.core.session.state.withLock { $0.forgetConsumer(tag) }
            let error = await #expect(throws: AMQPError.self) { try await queue.consume(ConsumerOptions(tag: tag)) }
            #expect(error?.code == .invalidArgument)
            #expect(client.channel.isOpen)
            #expect(client.channel.core.state.withLock { $0.subscriptions.count } == 1)
            withExtendedLifetime(deliveries) {}
        }
    }

    @Test func `one whose tag is taken ends, and the other one begins`() async throws {
        try await ScriptedClient.run { client in
            let deliveries = try await client.channel.declareQueue("q").consume(ConsumerOptions(tag: "t"))
            let other = try await client.connection.openChannel()
            let second = try await other.declareQueue("r").consume(ConsumerOptions(tag: "t"))
            let subscription = try #require(other.core.state.withLock { $0.subscriptions.first })
            client.channel.core.state.withLock { $0.subscriptions.append(subscription) }
            let session = try client.broker.session
            try await client.closeChannel(406, "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out")
            let reason = try await within(.seconds(10), "its end") { [consumer = second.consumer] in
                try await consumer.ended
            }
            #expect(reason?.code == .invalidArgument)
            try await eventually("the channel is open again") { !client.channel.core.isWaiting }
            let number = UInt16(client.channel.number)
            try await session.deliver("x", tag: 1, consumer: deliveries.consumer.tag, channel: number)
            var messages = deliveries.makeAsyncIterator()
            let message = try #require(try await messages.next())
            #expect(message.body == Array("x".utf8))
            withExtendedLifetime(second) {}
        }
    }

    @Test(arguments: 0..<20) func `one that is cancelled meanwhile is cancelled behind its beginning`(
        _: Int
    ) async throws {
        try await ScriptedClient.run { client in
            let deliveries = try await client.channel.declareQueue("q").consume()
            let (core, consumer) = (client.channel.core, deliveries.consumer)
            let subscription = try #require(core.state.withLock { $0.subscriptions.first })
            // As if the broker had cancelled it.
            core.session.state.withLock { $0.forgetConsumer(consumer.tag) }
            async let begun: PendingCall = core.begin(subscription, on: core.session)
            async let cancelled: Void = consumer.cancelInBackground()
            _ = try await begun
            await cancelled
            // Twice: a cancel may wait for the consume's answer, which comes before that to the first of these.
            for count in 1...2 { try await client.channel.setQos(prefetchCount: UInt16(count)) }
            let session = try client.broker.session
            #expect(session.consumers.isEmpty)
            let methods = session.methods.filter { $0 == .basicConsume || $0 == .basicCancel }
            let last = try #require(methods.lastIndex(of: .basicConsume))
            // Twice where both were about to say so: the broker answers the second as it does the first.
            #expect((2...3).contains(methods.count - last))
        }
    }
}
