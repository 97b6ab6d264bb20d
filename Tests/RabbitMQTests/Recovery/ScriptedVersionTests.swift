import TestSupport
import Testing

@testable import RabbitMQ

@Suite("The version of a scripted broker", .timeLimit(.minutes(1)))
struct ScriptedVersionTests {
    @Test func `reaches the client, on each connection that a script is for`() async throws {
        let later = ScriptedClient.script { _ in }
        try await ScriptedClient.run([later, later]) { client in
            #expect(client.connection.core.parameters.version == ServerVersion(4, 0))
            try client.broker.session.cut()
            try await client.waitForSession(2)
            #expect(client.connection.core.parameters.version == ServerVersion(4, 0))
        }
    }

    @Test func `is none where the script has none`() async throws {
        try await ScriptedBroker.run { broker in
            let connection = try await Connection.connect(broker.configuration)
            #expect(connection.core.parameters.version == nil)
            await connection.close()
        }
    }
}
