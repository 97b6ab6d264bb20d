import RabbitMQ
import TestSupport
import Testing

@Suite("Reference: heartbeats", .timeLimit(.minutes(1)))
struct HeartbeatRows {
    enum Activity: CaseIterable, Sendable { case idle, publishing, waiting, consuming }

    @Test("row 7: a peer that goes silent is noticed within two intervals and a second", arguments: Activity.allCases)
    func silentPeer(_ activity: Activity) async throws {
        try await TCPProxy.run { proxy in
            let log = CapturedLog()
            var configuration = try TestBroker.configuration(through: proxy, log: log)
            configuration.heartbeat = .seconds(1)
            let connection = try await Connection.connect(configuration)
            #expect(connection.heartbeat == .seconds(1))
            let channel = try await connection.openChannel()
            let queue = try await channel.declareQueue(exclusive: true)
            let exchange = try await channel.declareExchange("")
            let deliveries = try await queue.consume()
            let before = ContinuousClock.now
            proxy.pause()
            let after = ContinuousClock.now
            let busy = Task {
                switch activity {
                case .idle: throw try await connection.closed.error
                case .publishing:
                    while true { try await exchange.publish(Message(body: [1]), routingKey: queue.name) }
                case .waiting: _ = try await queue.get()
                case .consuming: for try await _ in deliveries {}
                }
            }
            let error = await expectError(.connectionLost) { try await busy.value }
            try await eventually("the end is logged") { !log.entries(containing: "connection ended").isEmpty }
            let noticed = try #require(log.entries(containing: "connection ended").first).time
            #expect(noticed - before > .seconds(1))
            #expect(noticed - after < .seconds(3))
            #expect(error?.message.contains("silent") == true)
            #expect(try await connection.closed.kind == .lost)
        }
    }

    @Test("row 7: heartbeats keep an idle connection alive; zero disables them and the silence is not noticed")
    func alive() async throws {
        try await TCPProxy.run { proxy in
            let direct = try TCPProxy(target: TestBroker.port)
            defer { direct.stop() }
            var beating = try TestBroker.configuration(through: direct)
            beating.heartbeat = .seconds(1)
            let idle = try await Connection.connect(beating)
            var still = try TestBroker.configuration(through: proxy)
            still.heartbeat = .zero
            let quiet = try await Connection.connect(still)
            #expect(quiet.heartbeat == .zero)
            proxy.pause()
            let bytes = direct.bytesToClient
            // The broker ends a connection from which it hears nothing for two intervals; its own beats are 8 bytes
            // each half interval or interval. Five intervals of them is what is waited for.
            try await eventually("five heartbeats came") { direct.bytesToClient >= bytes + 40 }
            #expect(idle.closeReason == nil)
            #expect(try await idle.answers())
            await idle.close()
            #expect(quiet.closeReason == nil)
            proxy.resume()
            #expect(try await quiet.answers())
            await quiet.close()
        }
    }
}
