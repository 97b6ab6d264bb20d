#if ServiceLifecycleSupport
import Logging
import RabbitMQ
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@Suite("Services", .timeLimit(.minutes(2)))
struct ServiceTests {
    private func group(_ services: any Service...) -> ServiceGroup {
        ServiceGroup(services: services, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    @Test func `a graceful shutdown lets the handler return, gives back the rest, and closes`() async throws {
        try await TestBroker.withChannel { _, channel in
            let queue = try await channel.declareQueue(TestBroker.uniqueName("service"), durable: false)
            try await channel.selectConfirms()
            for _ in 0..<10 { try await queue.publish(Message("x")) }
            try await channel.waitForConfirms()
            let connection = try await Connection.connect(try TestBroker.configuration)
            let begun = Mutex(0)
            let gate = Gate()
            let worker = ConsumerService(connection, queue: queue.name, prefetchCount: 5, maxConcurrency: 2) { _ in
                begun.withLock { $0 += 1 }
                await gate.wait()
            }
            let group = group(connection, worker)
            let running = Task { try await group.run() }
            try await eventually("two run") { begun.withLock { $0 } == 2 }
            await group.triggerGracefulShutdown()
            try await eventually("what waited is given back") { connection.statistics.givenBack == 3 }
            #expect(connection.isOpen)
            gate.open()
            try await within(.seconds(10), "the end") { try await running.value }
            #expect(connection.closeReason?.kind == .closedByApplication)
            #expect(connection.statistics.acknowledged == 2)
            try await eventually("the rest is there") {
                try await channel.declareQueue(queue.name, passive: true).messageCount == 8
            }
            _ = try await queue.delete(ifUnused: false, ifEmpty: false)
        }
    }

    @Test func `a handler that takes longer than the grace period is cancelled, and its message goes back`()
        async throws
    {
        try await TestBroker.withChannel { _, channel in
            let queue = try await channel.declareQueue(TestBroker.uniqueName("service"), durable: false)
            try await queue.publish(Message("x"))
            let connection = try await Connection.connect(try TestBroker.configuration)
            let begun = Gate()
            let worker = ConsumerService(connection, queue: queue.name, grace: .milliseconds(100)) { _ in
                begun.open()
                try await Task.sleep(for: .seconds(600))
            }
            let group = group(connection, worker)
            let running = Task { try await group.run() }
            await begun.wait()
            await group.triggerGracefulShutdown()
            try await within(.seconds(10), "the end") { try await running.value }
            #expect(connection.statistics.requeued + connection.statistics.givenBack == 1)
            _ = try await queue.delete(ifUnused: false, ifEmpty: false)
        }
    }

    @Test func `with a policy for retries what fails is tried again, and parked at last`() async throws {
        struct Failure: Error {}
        try await TestBroker.withChannel { _, channel in
            let name = TestBroker.uniqueName("service")
            let queue = try await channel.declareQueue(name)
            for text in ["good", "bad"] { try await queue.publish(Message(text)) }
            let connection = try await Connection.connect(try TestBroker.configuration)
            let seen = Collected<Int>()
            let policy = RetryPolicy(attempts: 2, delay: .milliseconds(10))
            let worker = ConsumerService(connection, retrying: policy) { channel in
                try await channel.declareQueue(name)
            } handler: { message in
                seen.add(message.attempt)
                if try message.text() == "bad" { throw Failure() }
            }
            let group = group(connection, worker)
            let running = Task { try await group.run() }
            try await eventually("one is tried twice") { seen.count == 3 }
            let parking = try channel.queue(name + ".parked")
            try await eventually("it is parked") {
                try await channel.declareQueue(parking.name, passive: true).messageCount == 1
            }
            #expect(seen.all == [1, 1, 2])
            await group.triggerGracefulShutdown()
            try await within(.seconds(10), "the end") { try await running.value }
            #expect(connection.statistics.acknowledged == 3)
            for name in [name, name + ".retry.10", parking.name] {
                _ = try await channel.queue(name).delete(ifUnused: false, ifEmpty: false)
            }
        }
    }

    @Test(arguments: [false, true])
    func `a graceful shutdown ends a consumer at once that waits for the broker to begin`(retries: Bool) async throws {
        try await TCPProxy.run { proxy in
            var configuration = try TestBroker.configuration
            configuration.endpoints = [.init(host: "127.0.0.1", port: proxy.port)]
            configuration.tls?.verification = .withoutName
            configuration.callTimeout = .seconds(600)
            configuration.recovery = RecoveryPolicy()
            let connection = try await Connection.connect(configuration)
            let (opened, lost) = (Gate(), Gate())
            let prepare: @Sendable (Channel) async throws -> Queue = { channel in
                opened.open()
                await lost.wait()
                return try channel.queue("nobody declares it")
            }
            let worker =
                retries
                ? ConsumerService(connection, retrying: RetryPolicy(), prepare: prepare, handler: { _ in })
                : ConsumerService(connection, prepare: prepare, handler: { _ in })
            let group = group(connection, worker)
            let running = Task { try await group.run() }
            await opened.wait()
            proxy.stop()
            try await eventually("the connection is lost") { connection.state != .up }
            lost.open()
            await group.triggerGracefulShutdown()
            try await within(.seconds(10), "the end") { try await running.value }
            #expect(connection.closeReason?.kind == .closedByApplication)
        }
    }

    @Test func `a service that is cancelled ends, and closes its connection`() async throws {
        let connection = try await Connection.connect(try TestBroker.configuration)
        let running = Task { try await connection.run() }
        try await eventually("it is open") { connection.isOpen }
        running.cancel()
        try await within(.seconds(10), "the end") { try await running.value }
        #expect(connection.closeReason?.kind == .closedByApplication)
    }

    @Test func `a connection that ends for good ends its group with the reason`() async throws {
        try await TCPProxy.run { proxy in
            var configuration = try TestBroker.configuration
            configuration.endpoints = [.init(host: "127.0.0.1", port: proxy.port)]
            configuration.tls?.verification = .withoutName
            let connection = try await Connection.connect(configuration)
            let group = group(connection)
            let running = Task { try await group.run() }
            proxy.cut()
            let error = await #expect(throws: AMQPError.self) {
                try await within(.seconds(10), "the end") { try await running.value }
            }
            #expect(error?.code == .connectionLost)
        }
    }

    #if MetricsSupport
    @Test func `the metrics of a connection that ends for good leave it to say why`() async throws {
        try await TCPProxy.run { proxy in
            var configuration = try TestBroker.configuration
            configuration.endpoints = [.init(host: "127.0.0.1", port: proxy.port)]
            configuration.tls?.verification = .withoutName
            let connection = try await Connection.connect(configuration)
            // Had it returned as soon as the connection ended, it would mostly be the first.
            let group = group(ConnectionMetrics(connection), connection)
            let running = Task { try await group.run() }
            proxy.cut()
            let error = await #expect(throws: AMQPError.self) {
                try await within(.seconds(10), "the end") { try await running.value }
            }
            #expect(error?.code == .connectionLost)
        }
    }

    @Test func `metrics that stand before their connection wait for its end when the group shuts down`() async throws {
        let connection = try await Connection.connect(try TestBroker.configuration)
        let group = group(ConnectionMetrics(connection), connection)
        let running = Task { try await group.run() }
        // Older groups forget it if they have not begun.
        try await eventually("the connection is closed") {
            await group.triggerGracefulShutdown()
            return connection.closeReason != nil
        }
        try await within(.seconds(20), "the end") { try await running.value }
        #expect(connection.closeReason?.kind == .closedByApplication)
    }
    #endif

    @Test func `an RPC server answers what it has begun`() async throws {
        try await TestBroker.withChannel { connection, channel in
            let requests = try await channel.declareQueue(exclusive: true)
            let (begun, gate) = (Gate(), Gate())
            let server = try await requests.serveMessages { request in
                begun.open()
                await gate.wait()
                return request.message
            }
            let group = group(server)
            let running = Task { try await group.run() }
            let client = try await connection.openRPCClient(routingKey: requests.name)
            async let reply = client.call(Message("x"))
            await begun.wait()
            await group.triggerGracefulShutdown()
            gate.open()
            try await within(.seconds(10), "the end") { try await running.value }
            let body = try await reply.body
            #expect(body == Array("x".utf8))
        }
    }

    @Test(arguments: [true, false])
    func `SIGTERM under load: it exits with 0, and nothing is lost or unacknowledged`(isAway: Bool) async throws {
        try await TestBroker.withChannel { _, channel in
            let name = TestBroker.uniqueName("probe")
            let queue = try await channel.declareQueue(name, durable: false)
            let proxy = try TCPProxy(target: TestBroker.plainPort)
            defer { proxy.stop() }
            let probe = try ToolProcess(
                ["127.0.0.1", "\(proxy.port)", TestBroker.username, TestBroker.password, name],
                product: "ServiceProbe"
            )
            try await eventually("it works", within: .seconds(30)) {
                try await channel.declareQueue(name, passive: true).consumerCount == 1 && proxy.bytesToClient > 20_000
            }
            if isAway { proxy.stop() }
            probe.terminate()
            let outcome = try await within(.seconds(20), "the end") { await probe.outcome() }
            #expect(outcome.hasExited && outcome.status == 0, "\(outcome)")
            let numbers = outcome.output.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
            try #require(numbers.count == 4, "\(outcome)")
            let (confirmed, unknown, acknowledged, milliseconds) = (numbers[0], numbers[1], numbers[2], numbers[3])
            #expect(confirmed > 0)
            #expect(milliseconds < 10_000, "it took \(milliseconds) ms")
            if !isAway {
                #expect(unknown == 0)
                var left = 0
                try await eventually("each is acknowledged, or in the queue") {
                    left = try await channel.declareQueue(name, passive: true).messageCount
                    return acknowledged + left == confirmed
                }
            }
            _ = try await queue.delete(ifUnused: false, ifEmpty: false)
        }
    }
}
#endif
