import Glibc
import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("a channel that is closed over one call", .timeLimit(.minutes(1)))
struct OtherCallsTests {
    @Test func `has the others fail with the same error, but worth another try`() async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            async let first = channel.declareQueue("a", passive: true)
            try await peer.expect(.queueDeclare)
            async let second = channel.declareQueue("b", passive: true)
            try await peer.expect(.queueDeclare)
            async let third: Void = channel.setQos(prefetchCount: 1)
            try await peer.expect(.basicQos)
            let text = "NOT_FOUND - no queue 'a' in vhost '/'"
            try await peer.sendClose(.channelClose, channel: 1, code: 404, text: text, cause: .queueDeclare)
            var errors: [AMQPError] = []
            do { _ = try await first } catch let error as AMQPError { errors.append(error) }
            do { _ = try await second } catch let error as AMQPError { errors.append(error) }
            do { try await third } catch let error as AMQPError { errors.append(error) }
            do {
                try await channel.defaultExchange.publish(Message(body: []), routingKey: "k")
            } catch let error as AMQPError {
                errors.append(error)
            }
            #expect(errors.map(\.code) == [.notFound, .notFound, .notFound, .notFound])
            #expect(errors.map(\.isRetryable) == [false, true, true, true])
            #expect(channel.closeReason?.isRetryable == false)
        }
    }

    @Test func `has consumers, and a call of another kind, come back`() async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            try await peer.send(PeerFrame.delivery([1], tag: 1, consumer: deliveries.consumer.tag))
            var iterator = deliveries.makeAsyncIterator()
            let message = try #require(try await iterator.next())
            async let call: Void = channel.setQos(prefetchCount: 1)
            try await peer.expect(.basicQos)
            let text = "NOT_FOUND - no exchange 'gone' in vhost '/'"
            try await peer.sendClose(.channelClose, channel: 1, code: 404, text: text, cause: .basicPublish)
            var errors: [AMQPError] = []
            do { try await call } catch let error as AMQPError { errors.append(error) }
            do { _ = try await iterator.next() } catch let error as AMQPError { errors.append(error) }
            #expect(errors.map(\.code) == [.notFound, .notFound])
            #expect(errors.map(\.isRecoverable) == [true, true])
            let stale = #expect(throws: AMQPError.self) { try message.ack() }
            #expect(stale?.isRecoverable == true)
        }
    }

    @Test func `a channel that is given up while consumers are waited for is closed at the broker too`() async throws {
        try await ScriptedPeer.withChannel(configure: { $0.closeTimeout = .milliseconds(50) }) { peer, _, channel in
            let session = channel.session
            session.link.nackSparesLimit.store(true, ordering: .relaxed)
            let deliveries = try await peer.consume(try await peer.declareQueue(on: channel))
            let isHeld = Mutex(true)
            session.link.onQueue { _ in
                while isHeld.withLock({ $0 }) { usleep(1000) }
            }
            await channel.close()
            isHeld.withLock { $0 = false }
            while try await peer.next().method != .channelClose {}
            withExtendedLifetime(deliveries) {}
        }
    }
}
