import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("With .fail, a channel that is opened anew while there is a connection", .timeLimit(.minutes(1)))
struct FailingWhileDownTests {
    /// Has the broker close the channel for a reason that passes, and leave the first try to open it anew unanswered.
    private func closeAlone(_ client: ScriptedClient) async throws {
        let session = try client.broker.session
        session.refuse(.init(.channelOpen, code: 0))
        let (code, text) = ChannelReopeningTests.passing[0]
        try await client.closeChannel(code, text)
        try await eventually("it is opened anew") {
            client.channel.core.isWaiting && session.methods.filter { $0 == .channelOpen }.count == 2
        }
    }

    private func waitForWaiters(_ count: Int, _ client: ScriptedClient) async throws {
        try await eventually("\(count) wait") { client.channel.core.state.withLock { $0.waiters.count == count } }
    }

    @Test func `is waited for by calls and publishes`() async throws {
        try await ScriptedClient.run(
            [],
            {
                $0.recovery.whileDown = .fail
                $0.callTimeout = .seconds(1)
            }
        ) { client in
            try await closeAlone(client)
            let publishing = Task {
                _ = try await client.channel.defaultExchange.publish(Message("x"), routingKey: "k")
            }
            let calling = Task {
                try await withCallTimeout(.seconds(20)) { _ = try await client.channel.declareQueue("q") }
            }
            try await waitForWaiters(2, client)
            try await within(.seconds(20), "it is answered") { try await calling.value }
            try await within(.seconds(20), "it is published") { try await publishing.value }
            try await eventually("it came") { try client.broker.session.published.map(\.text) == ["x"] }
            #expect(client.broker.sessions.count == 1)
        }
    }

    @Test func `is waited for no longer once the connection is lost`() async throws {
        try await ScriptedClient.run(
            [],
            {
                $0.recovery.whileDown = .fail
                $0.recovery.firstDelay = .seconds(100)
            }
        ) { client in
            try await closeAlone(client)
            let calling = Task { _ = try await client.channel.declareQueue("q") }
            try await waitForWaiters(1, client)
            try client.broker.session.cut()
            let error = try await thrownError { try await calling.value }
            #expect(error.code == .connectionLost)
        }
    }
}
