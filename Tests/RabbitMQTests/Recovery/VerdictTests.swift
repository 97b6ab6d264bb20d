import TestSupport
import Testing

@testable import RabbitMQ

@Suite("A message over which the broker closes the connection", .timeLimit(.minutes(1)))
struct VerdictTests {
    @Test func `is published again twice, and then has an outcome`() async throws {
        let refusing = ScriptedClient.script {
            $0.refusals = [.init(.basicPublish, "poison", code: 541, "INTERNAL_ERROR", closesConnection: true)]
        }
        let scripts = Array(repeating: refusing, count: 3)
        try await ScriptedClient.run(scripts, { $0.recovery.unconfirmed = .resend }) { client in
            try await client.channel.selectConfirms()
            let exchange = client.channel.defaultExchange
            let receipt = try await exchange.publish(Message("x"), routingKey: "poison")
            let error = try await thrownError(within: .seconds(30)) { try await receipt.confirmed() }
            #expect(error.code == .outcomeUnknown)
            try await exchange.publishConfirmed(Message("y"), routingKey: "k")
            #expect(client.broker.sessions.count == 4)
            #expect(client.channel.unconfirmedCount == 0)
        }
    }

    @Test func `is one that says that something was wrong, not that the broker goes down`() {
        func closed(_ code: UInt16) -> AMQPError {
            AMQPError(replyCode: code, replyText: "TEXT", classID: 0, methodID: 0, closedConnection: true)
        }
        #expect(closed(541).isVerdict && closed(505).isVerdict)
        #expect(!closed(320).isVerdict)
        #expect(!AMQPError(.connectionLost, "reset").isVerdict)
        #expect(!AMQPError(replyCode: 404, replyText: "TEXT", classID: 60, methodID: 40).isVerdict)
    }
}
