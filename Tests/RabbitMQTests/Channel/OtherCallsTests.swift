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
}
