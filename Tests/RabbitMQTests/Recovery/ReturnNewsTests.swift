import TestSupport
import Testing

@testable import RabbitMQ

@Suite("The news that a broker is back")
struct ReturnNewsTests {
    private let here = [ConnectionConfiguration.Endpoint(host: "here"), .init(host: "there")]

    @Test func `end the pause of one that waits for that broker, and of the next when they come again`() {
        let news = ReturnNews()
        let pauses = (0..<3).map { _ in OneShot<Void>() }
        for pause in pauses { news.add(pause, for: here) }
        for count in 1...3 {
            news.tell([.init(host: "there")])
            #expect(pauses.count { $0.isSettled } == count)
        }
        news.tell(here)
    }

    @Test func `leave those alone who wait for another one, or no longer`() {
        let news = ReturnNews()
        let (other, gone) = (OneShot<Void>(), OneShot<Void>())
        news.add(other, for: [.init(host: "elsewhere")])
        news.add(gone, for: here)
        news.remove(gone)
        news.tell(here)
        #expect(!other.isSettled && !gone.isSettled)
    }

    @Test func `a connection whose next try would come much later tries at once`() async throws {
        try await ScriptedClient.run(
            [],
            {
                $0.recovery.backOff = .seconds(600)
                $0.recovery.maxDelay = .seconds(600)
            }
        ) { client in
            let (connection, endpoints) = (client.connection, client.broker.configuration.endpoints)
            client.broker.follow([ScriptedClient.script { $0.cutAtFrame = 4 }])
            try client.broker.session.cut()
            try await eventually("its first try has failed") { client.broker.sessions.count == 2 }
            try await eventually("it is there again") {
                ReturnNews.shared.tell(endpoints)
                return connection.state == .up
            }
            #expect(client.broker.sessions.count == 3)
        }
    }
}
