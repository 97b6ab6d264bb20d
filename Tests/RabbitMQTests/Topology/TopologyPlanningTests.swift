import TestSupport
import Testing

@testable import RabbitMQ

@Suite("planning a topology against a scripted peer", .timeLimit(.minutes(1)))
struct TopologyPlanningTests {
    @Test func `over a given socket, a type that another connection would be asked for is refused, and no more`()
        async throws
    {
        try await ScriptedPeer.withConnection { peer, connection in
            let topology = Topology(exchanges: [.init("e", type: "x-plugin")])
            for _ in 0..<2 {
                let error = try await thrownError { try await topology.plan(on: connection) }
                #expect(error.code == .unsupported)
                #expect(error.message.contains("x-plugin"))
            }
            // The next that comes is this, and the connection answers.
            let channel = try await peer.openChannel(on: connection)
            #expect(channel.closeReason == nil)
        }
    }
}
