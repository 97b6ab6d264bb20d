import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("The channel of what is tried again", .timeLimit(.minutes(1)))
struct RetryChannelTests {
    @Test func `is closed when its consumer ends, whoever holds that`() async throws {
        try await ScriptedClient.run { client in
            let queue = try await client.channel.declareQueue("q")
            let consumer = try await queue.consume(retrying: RetryPolicy(attempts: 1)) { _ in }
            try await eventually("those that looked are closed") { client.connection.statistics.channels == 2 }
            try await consumer.cancel()
            try await eventually("the consumer's own is left") { client.connection.statistics.channels == 1 }
            #expect(try await consumer.ended == nil)
        }
    }

    @Test func `is tried to be opened again until it is, where the broker does not answer in time`() async throws {
        struct Failure: Error {}
        let log = CapturedLog()
        func configure(_ configuration: inout ConnectionConfiguration) {
            configuration.callTimeout = .seconds(1)
            configuration.logger = log.logger
        }
        try await ScriptedClient.run([], configure) { client in
            let queue = try await client.channel.declareQueue("q")
            let consumer = try await queue.consume(retrying: RetryPolicy(attempts: 1)) { _ in throw Failure() }
            let session = try client.broker.session
            session.refuse(
                .init(
                    .basicPublish,
                    "q.parked",
                    code: 403,
                    "ACCESS_REFUSED - access to exchange 'amq.default' in vhost '/' refused for user 'guest'"
                ),
                .init(.channelOpen, code: 0)
            )
            try await session.deliver("x", tag: 1, consumer: consumer.tag)
            try await eventually("it is settled") { session.settled.contains { $0.tag == 1 } }
            #expect(session.published.map(\.routingKey) == ["q.parked"])
            // Once that it was refused, once that the channel was not opened again: not over and over.
            #expect(log.entries(containing: "could not be published").count == 2)
            try await consumer.cancel()
        }
    }

    @Test func `keeps its place in the line of those who wait, for however long it waits`() async throws {
        struct Failure: Error {}
        try await ScriptedClient.run { client in
            let queue = try await client.channel.declareQueue("q")
            let consumer = try await queue.consume(retrying: RetryPolicy(attempts: 1)) { _ in throw Failure() }
            let (session, outbox) = (try client.broker.session, client.connection.link.outbox)
            try await session.peer.send(.connectionBlocked, channel: 0) { $0.shortString("low on memory") }
            try await eventually("blocked") { client.connection.blockedReason != nil }
            try await session.deliver("x", tag: 1, consumer: consumer.tag)
            try await eventually("it waits") { client.connection.statistics.heldBackPublishers == 1 }
            let place = outbox.state.withLock { state -> OneShot<Void>? in
                var line = state.heldBack
                return line.removeAll().first?.signal
            }
            // Longer than the time after which it looks whether it is to wait on.
            try await Task.sleep(for: .milliseconds(1500))
            #expect(place?.isSettled == false)
            try await session.peer.send(.connectionUnblocked, channel: 0)
            try await eventually("it is sent") { session.published.map(\.routingKey) == ["q.parked"] }
            #expect(place?.isSettled == true)
            try await consumer.cancel()
        }
    }

    @Test func `is another one where the broker refuses again and again on its own`() async throws {
        struct Failure: Error {}
        try await ScriptedClient.run([ScriptedClient.script { $0.confirms = false }]) { client in
            let queue = try await client.channel.declareQueue("q")
            let consumer = try await queue.consume(retrying: RetryPolicy(attempts: 1)) { _ in throw Failure() }
            let session = try client.broker.session
            try await session.deliver("x", tag: 1, consumer: consumer.tag)
            var channels: [UInt16] = []
            for number in 1...SpareChannel.refusalsUntilUse {
                channels.append(try await session.answer(number, with: .basicNack))
            }
            let last = try await session.answer(SpareChannel.refusalsUntilUse + 1, with: .basicAck)
            #expect(Set(channels).count == 1 && !channels.contains(last))
            try await eventually("it is settled") { session.settled.contains { $0.tag == 1 } }
            #expect(session.published.count == SpareChannel.refusalsUntilUse + 1)
            try await consumer.cancel()
            try await eventually("both are closed") { client.connection.statistics.channels == 1 }
        }
    }
}
