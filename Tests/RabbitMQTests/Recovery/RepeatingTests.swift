import TestSupport
import Testing

@testable import RabbitMQ

@Suite("What is done again when the connection is lost meanwhile", .timeLimit(.minutes(1)))
struct RepeatingTests {
    @Test func `a call on its way is done again on the next link`() async throws {
        try await ScriptedClient.run { client in
            let queue = try await client.channel.declareQueue("q")
            let session = try client.broker.session
            session.refuse(.init(.basicConsume, code: 0))
            let core = client.connection.core
            async let consuming = core.repeating { try await queue.consume() }
            try await eventually("it is asked") { session.methods.contains(.basicConsume) }
            session.cut()
            let deliveries = try await consuming
            #expect(client.broker.sessions.count == 2)
            // Recovery may have begun the first one anew before it was given up.
            try await eventually("it consumes alone") {
                try client.broker.session.consumers.map(\.tag) == [deliveries.consumer.tag]
            }
        }
    }

    @Test func `what the broker closes the connection over is not done again`() async throws {
        try await ScriptedClient.run { client in
            let queue = try await client.channel.declareQueue("q")
            let refusal = ScriptedBroker.Refusal(.basicConsume, code: 541, "INTERNAL_ERROR", closesConnection: true)
            try client.broker.session.refuse(refusal)
            let core = client.connection.core
            let error = try await thrownError { try await core.repeating { try await queue.consume() } }
            #expect(error.replyCode == .internalError)
        }
    }
}
