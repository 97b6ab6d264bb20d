import TestSupport
import Testing

@testable import RabbitMQ

@Suite("what a broker has of a topology", .timeLimit(.minutes(1)))
struct TopologyProbeTests {
    private func state(toldBy text: String) async throws -> Result<TopologyPlan.State, any Error> {
        try await ScriptedPeer.withConnectionResult { peer, connection in
            async let asked = {
                var probe = TopologyProbe(connection)
                return try await probe.state(of: Topology.Queue("q"))
            }()
            try await peer.openChannel(1)
            try await peer.expect(.queueDeclare, channel: 1)
            try await peer.sendClose(.channelClose, channel: 1, code: 404, text: text, cause: .queueDeclare)
            try await peer.expect(.channelCloseOk, channel: 1)
            do {
                return .success(try await asked)
            } catch {
                return .failure(error)
            }
        }
    }

    @Test func `a queue that the broker does not know is missing`() async throws {
        let state = try await state(toldBy: "NOT_FOUND - no queue 'q' in vhost '/'").get()
        guard case .missing = state else {
            Issue.record("it is \(state)")
            return
        }
    }

    @Test func `a queue whose node restarts is not missing`() async throws {
        let text = "NOT_FOUND - home node 'rabbit@b' of durable queue 'q' in vhost '/' is down or inaccessible"
        let result = try await state(toldBy: text)
        #expect { try result.get() } throws: { ($0 as? AMQPError)?.isRetryable == true }
    }
}

extension ScriptedPeer {
    fileprivate static func withConnectionResult<T: Sendable>(
        _ body: (ScriptedPeer, Connection) async throws -> T
    ) async throws -> T {
        var result: T?
        try await withConnection { result = try await body($0, $1) }
        return try #require(result)
    }
}
