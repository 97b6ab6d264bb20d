import TestSupport
import Testing

@testable import RabbitMQ

@Suite("A recovery that is given up", .timeLimit(.minutes(1)))
struct GivingUpTests {
    @Test func `is told as such where the broker closes the next connection for good`() async throws {
        let refusing = ScriptedClient.script {
            $0.refusals = [
                .init(.exchangeDeclare, code: 540, "NOT_IMPLEMENTED - no such type", closesConnection: true)
            ]
        }
        try await ScriptedClient.run([ScriptedBroker.Script(), refusing]) { client in
            try await client.channel.declareExchange("e")
            let events = Collected<ConnectionEvent>()
            let stream = client.connection.events
            let listening = Task { for await event in stream { events.add(event) } }
            try client.broker.session.cut()
            try await within(.seconds(20), "its end") { await listening.value }
            guard case .gaveUp(let error) = events.all.last else {
                Issue.record("the last event is \(String(describing: events.all.last))")
                return
            }
            #expect(error.replyCode == .notImplemented)
            #expect(client.connection.state == .closed)
            #expect(client.broker.sessions.count == 2)
        }
    }
}
