import RabbitMQ
import TestSupport
import Testing

@Suite("Opening a channel again that the broker has closed", .timeLimit(.minutes(2)))
struct ChannelReopeningTests {
    /// Has the broker close a channel for a reason that does not pass.
    private func close(_ channel: Channel) async throws {
        let name = TestBroker.uniqueName("missing")
        await #expect(throws: AMQPError.self) { try await channel.declareQueue(name, passive: true) }
    }

    @Test func `its end has its reason, for it and its consumers, and nothing is opened by itself`() async throws {
        try await RecoveringClient.use { client, scratch, _ in
            let channel = try await client.connection.openChannel()
            let queue = try await channel.declareQueue(scratch.queue())
            let consumer = try await queue.consume { _ in }
            try await close(channel)
            let reason = try await within(.seconds(10), "it ends") { try await channel.closed }
            #expect(reason.code == .notFound && channel.closeReason?.code == .notFound)
            #expect(try await consumer.ended?.code == .notFound)
            #expect(client.connection.state == .up && client.events.all.isEmpty)
            #expect(try await client.cutAndRecover().channels == 0)
        }
    }

    @Test func `its handles, limits, confirms and return handler are there again, and its consumers stay ended`()
        async throws
    {
        try await RecoveringClient.use { client, scratch, other in
            let channel = try await client.connection.openChannel()
            try await channel.setQos(prefetchCount: 3)
            try await channel.selectConfirms(maxUnconfirmed: 5)
            let returned = Collected<String>()
            channel.setReturnHandler { returned.add($0.routingKey) }
            let queue = try await channel.declareQueue(scratch.queue())
            let consumer = try await queue.consume { _ in }
            try await close(channel)
            try await channel.reopen()
            #expect(channel.isOpen && channel.closeReason == nil)
            #expect(try await consumer.ended?.code == .notFound)
            #expect(try await other.declareQueue(queue.name, passive: true).consumerCount == 0)
            for _ in 0..<10 { try await queue.publishConfirmed(Message("x")) }
            try await channel.defaultExchange.publish(Message("y"), routingKey: "test.nowhere", mandatory: true)
            try await eventually("it came back") { returned.all == ["test.nowhere"] }
            let given = Collected<String>()
            try await queue.consume { given.add(try $0.text()) }
            try await eventually("as many as may be are given") { given.count == 3 }
            try await eventually("the others wait") { try await other.queue(queue.name).readyCount() == 7 }
            #expect(given.count == 3)
            // The next end is waited for anew.
            try await close(channel)
            #expect(try await channel.closed.code == .notFound)
        }
    }

    @Test func `it comes back with its connection after that, with the consumers that it has then`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let channel = try await client.connection.openChannel()
            let queue = try await channel.declareQueue(scratch.queue())
            try await close(channel)
            try await channel.reopen()
            let seen = Collected<String>()
            try await queue.consume(.noAck) { seen.add(try $0.text()) }
            let report = try await client.cutAndRecover()
            #expect(report.channels == 1 && report.consumers == 1)
            try await other.send("x", to: queue.name)
            try await eventually("it came") { seen.all == ["x"] }
        }
    }

    @Test(arguments: [true, false])
    func `over and over, at once after the error`(recovers: Bool) async throws {
        let configure: (inout ConnectionConfiguration) -> Void = { if !recovers { $0.recovery = .none } }
        try await RecoveringClient.run(configure) { client in
            let channel = try await client.connection.openChannel()
            for _ in 0..<100 {
                try await close(channel)
                try await channel.reopen()
                #expect(try await channel.declareExchange("amq.topic", passive: true).name == "amq.topic")
            }
            #expect(channel.number < 40)
        }
    }

    @Test func `several that ask at a time get one`() async throws {
        try await RecoveringClient.run { client in
            let channel = try await client.connection.openChannel()
            for _ in 0..<20 {
                try await close(channel)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<5 { group.addTask { try await channel.reopen() } }
                    try await group.waitForAll()
                }
                try await channel.declareExchange("amq.topic", passive: true)
            }
        }
    }

    @Test func `an open one stays as it is`() async throws {
        try await RecoveringClient.run { client in
            let channel = try await client.connection.openChannel()
            let queue = try await channel.declareQueue(exclusive: true)
            var messages = try await queue.consume().makeAsyncIterator()
            try await channel.reopen()
            try await queue.publish(Message("x"))
            try await messages.next()?.ack()
            #expect(channel.isOpen)
        }
    }

    @Test func `one that the application closed stays closed, and so does one of a closed connection`() async throws {
        try await RecoveringClient.run { client in
            let channel = try await client.connection.openChannel()
            let second = try await client.connection.openChannel()
            await channel.close()
            #expect(try await thrownError { try await channel.reopen() }.code == .channelClosed)
            try await close(second)
            await client.connection.close()
            #expect(try await thrownError { try await second.reopen() }.code == .connectionClosed)
            #expect(second.closeReason?.code == .notFound)
        }
    }

    @Test func `while there is no connection it waits for one`() async throws {
        try await RecoveringClient.run { client in
            let channel = try await client.connection.openChannel()
            try await close(channel)
            let (reopening, report) = try await client.whileDown {
                Task { try await channel.reopen() }
            }
            try await within(.seconds(10), "it is open") { try await reopening.value }
            #expect(report.channels == 0)
            #expect(try await channel.declareQueue(exclusive: true).messageCount == 0)
        }
    }

    @Test func `a connection that is lost meanwhile brings it back`() async throws {
        try await RecoveringClient.run { client in
            let channel = try await client.connection.openChannel()
            for _ in 0..<20 {
                try await close(channel)
                let count = client.reports.count
                let reopening = Task { try await channel.reopen() }
                client.proxy.cut()
                try await within(.seconds(20), "it is open") { try await reopening.value }
                try await client.recovered(after: count)
                try await channel.declareExchange("amq.topic", passive: true)
            }
        }
    }

    @Test func `a transactional one begins a new transaction`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let channel = try await client.connection.openChannel()
            let queue = try await channel.declareQueue(scratch.queue())
            try await channel.selectTransactions()
            try await queue.publish(Message("lost"))
            try await close(channel)
            try await channel.reopen()
            try await queue.publish(Message("kept"))
            try await channel.commit()
            #expect(try await other.queue(queue.name).next().text() == "kept")
        }
    }
}
