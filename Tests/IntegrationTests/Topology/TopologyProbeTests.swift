import TestSupport
import Testing

@testable import RabbitMQ

@Suite("Asking whether the broker has a type of exchange")
struct TopologyProbeTests {
    @Test("a type that it has is found, and another is not, without making anything")
    func types() async throws {
        try await TestBroker.withConnection { connection in
            let probe = TopologyProbe(connection)
            // Of the types that need no plugin, asked for as one that does.
            for type in [ExchangeType.direct, .fanout, .topic, .headers] {
                #expect(try await probe.findType(type) == nil)
            }
            let error = try await probe.findType("x-nonsense")
            #expect(error?.replyText?.contains("x-nonsense") == true)
            #expect(connection.closeReason == nil)
        }
    }
}
