import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("Transactions whose connection or channel is lost", .timeLimit(.minutes(1)))
struct LostTransactionTests {
    @Test func `a transaction that was lost is told by its commit, and the next one is clean`() async throws {
        try await ScriptedClient.run { client in
            try await client.channel.selectTransactions()
            try await client.channel.defaultExchange.publish(Message("lost"), routingKey: "k")
            try client.broker.session.cut()
            try await client.waitForSession(2)
            try await client.channel.defaultExchange.publish(Message("rest"), routingKey: "k")
            let error = await #expect(throws: AMQPError.self) { try await client.channel.commit() }
            #expect(error?.code == .outcomeUnknown)
            try await client.channel.defaultExchange.publish(Message("next"), routingKey: "k")
            try await client.channel.commit()
            let methods = try client.broker.session.methods.filter { $0.classID == 90 || $0 == .basicPublish }
            #expect(methods.map(\.methodID) == [10, 40, 30, 40, 20])
        }
    }

    @Test(arguments: [false, true]) func `a commit that is lost on its way says so, and the next one is clean`(
        channelOnly: Bool
    ) async throws {
        let script = ScriptedClient.script { script in
            script.silent = [PeerMethod(90, 20)]
            script.tune.version = "4.0.0"
        }
        try await ScriptedClient.run([script]) { client in
            try await client.channel.selectTransactions()
            let committing = Task { try await client.channel.commit() }
            let session = try client.broker.session
            try await eventually("it is sent") { session.methods.last == PeerMethod(90, 20) }
            if channelOnly {
                try await client.closeChannel(
                    406,
                    "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out"
                )
            } else {
                session.cut()
            }
            let error = try await thrownError { try await committing.value }
            #expect(error.code == .outcomeUnknown)
            try await eventually("it is there again") {
                !client.channel.core.isWaiting && client.connection.state == .up
            }
            guard !channelOnly else {
                #expect(client.channel.core.state.withLock { $0.lostTransaction == nil })
                return
            }
            try await client.channel.commit()
        }
    }

    @Test func `what a rollback was to drop is dropped with its session, and the next transaction is clean`()
        async throws
    {
        let script = ScriptedClient.script { $0.silent = [PeerMethod(90, 30)] }
        try await ScriptedClient.run([script]) { client in
            try await client.channel.selectTransactions()
            let rolling = Task { try await client.channel.rollback() }
            let session = try client.broker.session
            try await eventually("it is sent") { session.methods.last == PeerMethod(90, 30) }
            session.cut()
            _ = try? await rolling.value
            try await client.waitForSession(2)
            try await client.channel.commit()
        }
    }
}
