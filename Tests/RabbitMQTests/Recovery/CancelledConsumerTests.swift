import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("Consumers that are cancelled where recovery brings them back", .timeLimit(.minutes(1)))
struct CancelledConsumerTests {
    @Test func `a consumer that the broker cancels is taken up again while its queue exists`() async throws {
        try await ScriptedClient.run { client in
            let session = try client.broker.session
            let deliveries = try await client.channel.declareQueue("q").consume()
            var messages = deliveries.makeAsyncIterator()
            try await session.deliver("1", tag: 1, consumer: deliveries.consumer.tag)
            let first = try #require(try await messages.next())
            try await session.cancel(consumer: deliveries.consumer.tag)
            try await client.waitForConsumers(1)
            try await session.deliver("2", tag: 2, consumer: deliveries.consumer.tag)
            let second = try #require(try await messages.next())
            try first.ack()
            try second.ack()
            try await eventually("they are settled") { !session.settled.isEmpty }
            #expect(session.settled.last?.tag == 2)
        }
    }

    @Test func `a consumer that the broker cancels ends when its queue is gone`() async throws {
        let script = ScriptedClient.script {
            // The first is the declaration.
            $0.refusals = [.init(.queueDeclare, "gone", code: 404, "NOT_FOUND - no queue 'gone' in vhost '/'")]
        }
        try await ScriptedClient.run([script]) { client in
            let queue = try client.channel.queue("gone")
            let deliveries = try await queue.consume()
            try await client.broker.session.cancel(consumer: deliveries.consumer.tag)
            let error = await #expect(throws: AMQPError.self) { for try await _ in deliveries {} }
            #expect(error?.code == .consumerCancelled)
            #expect(client.channel.isOpen)
            try await client.channel.setQos(prefetchCount: 1)
        }
    }

    @Test func `a consumer that the broker cancels before the link is lost is begun once, with the rest`() async throws
    {
        let script = ScriptedClient.script {
            $0.refusals = (0..<100).map { _ in
                .init(
                    .queueDeclare,
                    "q",
                    code: 404,
                    "NOT_FOUND - home node 'a' of durable queue 'q' in vhost '/' is down"
                )
            }
        }
        try await ScriptedClient.run([script], { $0.recovery.backOff = .milliseconds(60) }) { client in
            let deliveries = try await client.channel.queue("q").consume()
            let session = try client.broker.session
            try await session.cancel(consumer: deliveries.consumer.tag)
            try await eventually("it is asked for") { session.methods.filter { $0 == .queueDeclare }.count >= 2 }
            session.cut()
            try await client.waitForSession(2)
            try await client.waitForConsumers(1)
            try await Task.sleep(for: .milliseconds(200))
            #expect(deliveries.consumer.isCancelling == false)
            #expect(try client.broker.session.consumers.count == 1)
            try await client.broker.session.deliver("x", tag: 1, consumer: deliveries.consumer.tag)
            let body = try await within(.seconds(5), "a message") {
                var messages = deliveries.makeAsyncIterator()
                return try await messages.next()?.body
            }
            #expect(body == Array("x".utf8))
        }
    }

    @Test func `a consumer that is cancelled while there is no link does not come back`() async throws {
        try await ScriptedClient.run([], { $0.recovery.firstDelay = .milliseconds(400) }) { client in
            let deliveries = try await client.channel.declareQueue("q").consume()
            let kept = try await client.channel.declareQueue("kept").consume()
            try client.broker.session.cut()
            try await eventually("it is noticed") { client.connection.state == .recovering }
            try await within(.seconds(5), "it is cancelled") { try await deliveries.consumer.cancel() }
            try await client.waitForSession(2)
            try await client.waitForConsumers(1)
            #expect(try client.broker.session.consumers.map(\.queue) == ["kept"])
            withExtendedLifetime(kept) {}
        }
    }

    @Test func `a consumer that is cancelled while it is begun anew is cancelled there`() async throws {
        try await ScriptedClient.run { client in
            let deliveries = try await client.channel.declareQueue("q").consume()
            try client.broker.session.cut()
            let core = client.channel.core
            // Between the list's being read and the consumer's being begun.
            let subscription = try #require(core.state.withLock { $0.subscriptions.first })
            try await client.waitForSession(2)
            try await client.waitForConsumers(1)
            deliveries.consumer.cancelInBackground()
            try await client.waitForConsumers(0)
            var reopening = ChannelCore.Reopening(session: core.session)
            core.state.withLock { $0.subscriptions = [subscription] }
            try core.beginConsuming(&reopening)
            let session = try client.broker.session
            try await eventually("it is begun") { session.methods.filter { $0 == .basicConsume }.count == 2 }
            try await client.waitForConsumers(0)
            core.state.withLock { $0.subscriptions = [] }
        }
    }

    @Test func `when one is taken up is forgotten with it, and with the channel`() async throws {
        try await ScriptedClient.run { client in
            let (core, session) = (client.channel.core, try client.broker.session)
            let kept = try await client.channel.declareQueue("kept").consume()
            let left = try await client.channel.declareQueue("left").consume()
            for deliveries in [kept, left] { _ = core.nextDelay(of: deliveries.consumer, isFirst: true) }
            #expect(core.state.withLock { $0.takingUp.count } == 2)
            try await left.consumer.cancel()
            // As whoever takes it up does, just as it is cancelled.
            _ = core.nextDelay(of: left.consumer, isFirst: false)
            #expect(core.state.withLock { Array($0.takingUp.keys) } == [kept.consumer.tag])
            try await session.peer.sendClose(.channelClose, channel: 1, code: 404, text: "NOT_FOUND - no queue 'x'")
            _ = try await within(.seconds(10), "its end") { [channel = client.channel] in try await channel.closed }
            #expect(core.state.withLock { $0.takingUp.isEmpty })
            withExtendedLifetime((kept, left)) {}
        }
    }
}
