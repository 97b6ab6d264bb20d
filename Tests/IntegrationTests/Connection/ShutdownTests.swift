import RabbitMQ
import Synchronization
import TestSupport
import Testing

@Suite("Shutting a connection down", .timeLimit(.minutes(1)))
struct ShutdownTests {
    /// Lends a queue with messages, which outlives the connection that is shut down, and counts what is left in it.
    private func withQueue(
        _ count: Int,
        _ body: (String) async throws -> Void,
        left expected: Int
    ) async throws {
        try await TestBroker.withChannel { _, channel in
            let name = TestBroker.uniqueName("shutdown")
            let queue = try await channel.declareQueue(name, durable: false, autoDelete: false)
            do {
                try await channel.selectConfirms()
                for _ in 0..<count { try await queue.publish(Message("x")) }
                try await channel.waitForConfirms()
                try await body(name)
                try await eventually("what is left is in the queue") {
                    try await channel.declareQueue(name, passive: true).messageCount == expected
                }
            } catch {
                _ = try? await queue.delete(ifUnused: false, ifEmpty: false)
                throw error
            }
            _ = try await queue.delete(ifUnused: false, ifEmpty: false)
        }
    }

    @Test func `lets callbacks that run return, and gives back what none has begun`() async throws {
        try await withQueue(
            30,
            { name in
                let connection = try await Connection.connect(try TestBroker.configuration)
                let channel = try await connection.openChannel()
                try await channel.setQos(prefetchCount: 10)
                let begun = Mutex(0)
                let gate = Gate()
                try await channel.queue(name).consume(maxConcurrency: 3) { message in
                    begun.withLock { $0 += 1 }
                    await gate.wait()
                    try message.ack()
                }
                try await eventually("three run") { begun.withLock { $0 } == 3 }
                let shutdown = Task { await connection.shutdown(within: .seconds(20)) }
                try await eventually("what waited is given back") { connection.statistics.givenBack == 7 }
                #expect(connection.isOpen)
                gate.open()
                let report = try await within(.seconds(10), "the end") { await shutdown.value }
                #expect(report.isComplete)
                #expect(begun.withLock { $0 } == 3)
                #expect(!connection.isOpen)
                #expect(connection.statistics.acknowledged == 3)
            },
            left: 27
        )
    }

    @Test func `waits for what a loop has taken, which then ends`() async throws {
        try await withQueue(
            10,
            { name in
                let connection = try await Connection.connect(try TestBroker.configuration)
                let channel = try await connection.openChannel()
                try await channel.setQos(prefetchCount: 5)
                let deliveries = try await channel.queue(name).consume()
                let begun = Mutex(0)
                let gate = Gate()
                let loop = Task {
                    for try await message in deliveries {
                        begun.withLock { $0 += 1 }
                        await gate.wait()
                        try message.ack()
                    }
                }
                try await eventually("one is taken") { begun.withLock { $0 } == 1 }
                let shutdown = Task { await connection.shutdown(within: .seconds(20)) }
                try await eventually("what waited is given back") { connection.statistics.givenBack == 4 }
                gate.open()
                #expect(try await within(.seconds(10), "the end") { await shutdown.value }.isComplete)
                try await within(.seconds(10), "the loop's end") { try await loop.value }
            },
            left: 9
        )
    }

    @Test func `waits for confirms, those of messages that a last callback publishes too`() async throws {
        try await withQueue(
            1,
            { name in
                let connection = try await Connection.connect(try TestBroker.configuration)
                let publishing = try await connection.openChannel()
                try await publishing.selectConfirms()
                let channel = try await connection.openChannel()
                let (begun, gate) = (Gate(), Gate())
                let queue = try publishing.queue(name)
                try await channel.queue(name).consume { message in
                    begun.open()
                    await gate.wait()
                    for _ in 0..<100 { try await queue.publish(Message("y")) }
                    try message.ack()
                }
                // Before that its message would go back as one that nobody has begun.
                await begun.wait()
                let shutdown = Task { await connection.shutdown(within: .seconds(20)) }
                try await eventually("it consumes no more") { connection.statistics.consumers == 0 }
                gate.open()
                #expect(try await within(.seconds(10), "the end") { await shutdown.value }.isComplete)
                #expect(connection.statistics.confirmed == 100)
            },
            left: 100
        )
    }

    @Test func `when its time is over the message of a callback that hangs goes back`() async throws {
        try await withQueue(
            1,
            { name in
                let connection = try await Connection.connect(try TestBroker.configuration)
                let channel = try await connection.openChannel()
                let begun = Gate()
                let wasCancelled = Mutex(false)
                try await channel.queue(name).consume { _ in
                    begun.open()
                    do {
                        try await Task.sleep(for: .seconds(600))
                    } catch {
                        wasCancelled.withLock { $0 = true }
                        throw error
                    }
                }
                await begun.wait()
                let report = await connection.shutdown(within: .milliseconds(500))
                #expect(wasCancelled.withLock { $0 })
                #expect(report.isComplete)
                #expect(connection.statistics.requeued == 1)
            },
            left: 1
        )
    }

    @Test func `one that never settles is reported, and so is a task that is cancelled`() async throws {
        try await withQueue(
            2,
            { name in
                let connection = try await Connection.connect(try TestBroker.configuration)
                let channel = try await connection.openChannel()
                let message = try #require(try await channel.queue(name).get())
                let shutdown = Task { await connection.shutdown(within: .seconds(60)) }
                shutdown.cancel()
                let report = try await within(.seconds(10), "the end") { await shutdown.value }
                #expect(report.unsettled == 1)
                #expect(!report.isComplete)
                #expect(message.isStale)
            },
            left: 2
        )
    }

    @Test func `ends at once while the connection is lost`() async throws {
        try await TCPProxy.run { proxy in
            var configuration = try TestBroker.configuration
            configuration.endpoints = [.init(host: "127.0.0.1", port: proxy.port)]
            configuration.tls?.verification = .withoutName
            configuration.recovery = RecoveryPolicy()
            let connection = try await Connection.connect(configuration)
            let channel = try await connection.openChannel()
            let queue = try await channel.declareQueue(exclusive: true)
            try await channel.selectConfirms()
            try await queue.publishConfirmed(Message("x"))
            try await queue.consume { _ in try await Task.sleep(for: .seconds(600)) }
            proxy.stop()
            try await eventually("it is lost") { connection.state == .recovering }
            _ = try await within(.seconds(5), "the end") { await connection.shutdown(within: .seconds(60)) }
            #expect(!connection.isOpen)
        }
    }

    @Test func `the replies to calls that callbacks make still come`() async throws {
        try await TestBroker.withChannel { _, serving in
            let requests = try await serving.declareQueue(exclusive: true)
            let gate = Gate()
            let server = try await requests.serveMessages { request in
                await gate.wait()
                return request.message
            }
            let jobs = try await serving.declareQueue(TestBroker.uniqueName("jobs"), durable: false)
            try await jobs.publish(Message("job"))
            let connection = try await Connection.connect(try TestBroker.configuration)
            let client = try await connection.openRPCClient(routingKey: requests.name)
            let answered = Mutex(0)
            try await connection.openChannel().queue(jobs.name).consume { message in
                _ = try await client.call(Message("ask"))
                answered.withLock { $0 += 1 }
                try message.ack()
            }
            try await eventually("it calls") { client.pendingCount == 1 }
            let shutdown = Task { await connection.shutdown(within: .seconds(20)) }
            try await eventually("it consumes no more") { connection.statistics.consumers == 1 }
            gate.open()
            #expect(try await within(.seconds(10), "the end") { await shutdown.value }.isComplete)
            #expect(answered.withLock { $0 } == 1)
            await server.stop()
            _ = try await jobs.delete(ifUnused: false, ifEmpty: false)
        }
    }
}

/// Holds up whoever waits until it is opened.
final class Gate: Sendable {
    private let (stream, continuation) = AsyncStream<Void>.makeStream()

    func open() { continuation.finish() }

    func wait() async { for await _ in stream {} }
}
