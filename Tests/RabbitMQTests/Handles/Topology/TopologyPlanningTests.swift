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

    @Test func `what is missing is no warning`() async throws {
        let log = CapturedLog()
        try await ScriptedPeer.withConnection {
            $0.logger = log.logger
        } _: { peer, connection in
            async let plan = Topology(queues: [.init("q")]).plan(on: connection)
            let channel = try await peer.openChannel(nil)
            try await peer.expect(.queueDeclare, channel: channel)
            try await peer.sendClose(.channelClose, channel: channel, code: 404, text: "NOT_FOUND - no queue 'q'")
            try await peer.expect(.channelCloseOk, channel: channel)
            #expect(try await plan.queues.map(\.state) == [.missing])
            #expect(log.entries(containing: "the broker closed a channel").map { "\($0.level)" } == ["debug"])
            #expect(log.entries.allSatisfy { ["trace", "debug", "info"].contains("\($0.level)") }, "\(log.entries)")
        }
    }
}
