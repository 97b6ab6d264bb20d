import RabbitMQ
import TestSupport
import Testing

@Suite("Stopping RPC servers", .timeLimit(.minutes(5)))
struct RPCStoppingTests {
    @Test("stopping lets those that run finish, and leaves the others to another server")
    func gracefulStop() async throws {
        try await TestBroker.withRPCClient { connection, queue, client in
            let started = Collected<String>()
            let gate = Collected<Bool>()
            let server = try await queue.serveMessages(maxConcurrency: 3) { request in
                started.add(try request.text())
                try await eventually("the gate opens", within: .seconds(60)) { gate.count > 0 }
                return try Message("first")
            }
            let calls = (0..<10).map { number in Task { try await client.call(Message("\(number)")).text() } }
            try await eventually("three are begun") { started.count == 3 }
            let stopping = Task { await server.stop() }
            try await eventually("no consumer is left") {
                let channel = try await connection.openChannel()
                return try await channel.declareQueue(queue.name, durable: false, passive: true).consumerCount == 0
            }
            gate.add(true)
            await stopping.value
            #expect(try await server.stopped == nil)
            #expect(started.count == 3)
            let second = try await queue.serveMessages { _ in try Message("second") }
            var replies: [String] = []
            for call in calls { replies.append(try await call.value) }
            #expect(replies.filter { $0 == "first" }.count == 3)
            #expect(replies.filter { $0 == "second" }.count == 7)
            await second.stop()
            await second.stop()
        }
    }

    @Test("handlers that outlast the grace are cancelled, and their requests go to another server")
    func impatientStop() async throws {
        try await TestBroker.withRPCClient { connection, queue, client in
            let started = Collected<Int>()
            let server = try await queue.serveMessages { _ in
                started.add(1)
                try await Task.sleep(for: .seconds(600))
                return try Message("never")
            }
            let call = Task { try await client.call(Message("x")).text() }
            try await eventually("it is begun") { started.count == 1 }
            try await within(.seconds(20), "the server stops") { await server.stop(within: .milliseconds(100)) }
            let second = try await queue.serveMessages { _ in try Message("second") }
            let reply = try await call.value
            #expect(reply == "second")
            await second.stop()
        }
    }
}
