import TestSupport
import Testing

@testable import RabbitMQ

@Suite("purging", .timeLimit(.minutes(1)))
struct PurgingTests {
    @Test func `a call that the peer never answers times out, and the channel stays open`() async throws {
        try await ScriptedPeer.withChannel(configure: { $0.callTimeout = .seconds(3) }) { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            let purging = Task { try await queue.purge() }
            try await peer.expect(.queuePurge)
            let error = try await thrownError { try await purging.value }
            #expect(error.code == .timedOut)
            #expect(channel.closeReason == nil)
        }
    }
}
