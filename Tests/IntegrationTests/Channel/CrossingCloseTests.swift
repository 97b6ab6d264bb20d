import RabbitMQ
import TestSupport
import Testing

@Suite("A channel that both sides close at once", .timeLimit(.minutes(1)))
struct CrossingCloseTests {
    @Test("takes nothing with it, whatever the moment")
    func crossing() async throws {
        try await TestBroker.withConnection { connection in
            for round in 0..<500 {
                let channel = try await connection.openChannel()
                // The broker closes the channel for this.
                let call = Task { _ = try? await channel.declareQueue("test.missing", passive: true) }
                if round % 3 > 0 { try await Task.sleep(for: .microseconds(50 * (round % 12))) }
                await channel.close()
                await call.value
            }
            #expect(connection.closeReason == nil)
        }
    }
}
