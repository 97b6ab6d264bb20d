import Logging
import RabbitMQ
import TestSupport
import Testing

@Suite("Reference: errors and the log", .timeLimit(.minutes(1)))
struct ErrorRows {
    /// What an application can tell apart in a `catch`.
    private func kind(_ body: () async throws -> Void) async -> String {
        do {
            try await body()
            return "none"
        } catch AMQPError.Code.connectionLost {
            return "connection lost"
        } catch AMQPError.Code.connectionClosed {
            return "connection closed"
        } catch AMQPError.Code.channelClosed {
            return "channel closed"
        } catch AMQPError.Code.deleted {
            return "deleted"
        } catch AMQPError.Code.invalidExchangeName {
            return "invalid exchange name"
        } catch is AMQPError {
            return "another AMQP error"
        } catch {
            return "no AMQP error"
        }
    }

    @Test("row 33: each error can be told apart in a catch")
    func kinds() async throws {
        try await TCPProxy.run { proxy in
            let lost = try await Connection.connect(TestBroker.configuration(through: proxy))
            let lostChannel = try await lost.openChannel()
            proxy.cut()
            let reason = try await lost.closed
            #expect(reason.error.code == .connectionLost)
            #expect(await kind { _ = try await lostChannel.declareQueue() } == "connection lost")
        }
        let connection = try await Connection.connect(TestBroker.configuration)
        let channel = try await connection.openChannel()
        let queue = try await channel.declareQueue(exclusive: true)
        #expect(await kind { _ = try await channel.declareExchange("amq.x") } == "invalid exchange name")
        try await queue.delete()
        #expect(await kind { _ = try await queue.get() } == "deleted")
        #expect(
            await kind { _ = try await channel.declareQueue(TestBroker.uniqueName("no"), passive: true) }
                == "another AMQP error"
        )
        let second = try await connection.openChannel()
        await second.close()
        #expect(await kind { _ = try await second.declareQueue() } == "channel closed")
        await connection.close()
        #expect(await kind { _ = try await connection.openChannel() } == "connection closed")
        #expect(await kind { throw CancellationError() } == "no AMQP error")
    }

    @Test("row 33: a returned message makes an undeliverable-message error that holds it")
    func undeliverable() async throws {
        try await TestBroker.withChannel { _, channel in
            let returned = Collected<ReturnedMessage>()
            channel.setReturnHandler { returned.add($0) }
            let message = Message(body: [4, 2])
            try await channel.declareExchange("").publish(message, routingKey: TestBroker.uniqueName("nowhere"))
            try await eventually("it came back") { returned.count == 1 }
            let error = AMQPError(.undeliverable, "it came back", returned: returned.all.first)
            #expect(AMQPError.Code.undeliverable ~= error)
            #expect(error.returned?.message == message)
        }
    }

    @Test("row 35: closes and anomalies are logged, each once, and a close by the application makes no noise")
    func logged() async throws {
        let log = CapturedLog()
        let connection = try await Connection.connect(TestBroker.configuration(log: log))
        let channel = try await connection.openChannel()
        await expectError(.notFound) { try await channel.declareQueue(TestBroker.uniqueName("no"), passive: true) }
        let closes = log.entries(containing: "the broker closed a channel")
        // It is thrown to whoever asked.
        #expect(closes.map(\.level) == [.debug])
        #expect(closes.first?.description.contains("404") == true)
        await connection.close()
        try await eventually("the end is logged") { !log.entries(containing: "connection ended").isEmpty }
        #expect(log.entries(containing: "connection ended").map(\.level) == [.debug])

        let serverLog = CapturedLog()
        let refused = try await Connection.connect(TestBroker.configuration(log: serverLog))
        await expectError(.connectionClosed) { try await refused.openChannel().setQos(prefetchSize: 1) }
        try await eventually("the end is logged") { !serverLog.entries(containing: "connection ended").isEmpty }
        let ends = serverLog.entries(containing: "connection ended")
        #expect(ends.map(\.level) == [.warning])
        #expect(ends.first?.description.contains("540") == true)
    }

    @Test("row 35: no password is logged, whatever goes wrong")
    func secrets() async throws {
        let log = CapturedLog()
        var configuration = try TestBroker.configuration(log: log)
        configuration.credentials = .plain(username: "guest", password: "tr0ub4dor&3")
        let error = await expectError(.authenticationFailed) { try await Connection.connect(configuration) }
        #expect(log.entries(containing: "tr0ub4dor").isEmpty)
        #expect(String(describing: error).contains("tr0ub4dor") == false)
        #expect(String(reflecting: configuration).contains("tr0ub4dor") == false)
    }
}
