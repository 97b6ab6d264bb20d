import RabbitMQ
import TestSupport
import Testing

@Suite("publishing in a task that is cancelled", .timeLimit(.minutes(1)))
struct PublishCancellationTests {
    @Test func `sends nothing, though there is room`() async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            let exchange = channel.defaultExchange
            let publishing = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                try await exchange.publish(Message("late"), routingKey: "k")
            }
            await #expect(throws: CancellationError.self) { try await publishing.value }
            try await exchange.publish(Message("next"), routingKey: "k")
            #expect(try await peer.expectPublish().body == Array("next".utf8))
        }
    }

    @Test func `ends a loop that would publish for ever`() async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            let exchange = channel.defaultExchange
            let publishing = Task { while true { try await exchange.publish(Message("again"), routingKey: "k") } }
            _ = try await peer.expectPublish()
            publishing.cancel()
            await #expect(throws: CancellationError.self) {
                try await within(.seconds(30), "the end of the loop") { try await publishing.value }
            }
        }
    }
}
