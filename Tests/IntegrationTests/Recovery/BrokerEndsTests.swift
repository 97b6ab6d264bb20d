import RabbitMQ
import Synchronization
import TestSupport
import Testing

/// With a broker of its own, which it stops.
@Suite(
    "Recovery of what the broker ends",
    .needsBrokerScript,
    .ownBroker(.brokerEnds),
    .serialized,
    .timeLimit(.minutes(5))
)
struct BrokerEndsTests {
    func broker() throws -> OwnBroker { try #require(OwnBroker.current) }

    /// Publishes with confirms and consumes with acks while `fault` befalls the broker, and expects every message.
    func expectNothingLost(
        within limit: Duration = .seconds(60),
        heartbeat: Duration = .seconds(60),
        _ fault: (OwnBroker) async throws -> Void
    ) async throws {
        let broker = try broker()
        try await RecoveringClient.run(
            on: broker,
            {
                $0.recovery.unconfirmed = .resend
                $0.heartbeat = heartbeat
            }
        ) { client in
            let name = TestBroker.uniqueName("recovery")
            let publisher = try await client.connection.openChannel()
            try await publisher.selectConfirms()
            let queue = try await publisher.declareQueue(name)
            let consuming = try await client.connection.openChannel()
            try await consuming.setQos(prefetchCount: 20)
            let seen = Mutex<Set<Int>>([])
            try await consuming.queue(name).consume { message in
                let number = Int(try message.text()) ?? -1
                seen.withLock { _ = $0.insert(number) }
                try message.ack()
            }
            let isOver = Atomic(false)
            let publishing = Task {
                var count = 0
                while !isOver.load(ordering: .relaxed) {
                    let message = Message(body: Array("\(count)".utf8), deliveryMode: .persistent)
                    try await queue.publishConfirmed(message, timeout: .seconds(60))
                    count += 1
                }
                return count
            }
            do {
                try await eventually("some have come") { seen.withLock { $0.count } > 10 }
                let recoveries = client.reports.count
                try await fault(broker)
                try await client.recovered(after: recoveries, within: limit)
                let before = seen.withLock { $0.count }
                try await eventually("more come", within: .seconds(30)) { seen.withLock { $0.count } > before + 50 }
            } catch {
                publishing.cancel()
                throw error
            }
            isOver.store(true, ordering: .relaxed)
            let count = try await publishing.value
            try await eventually("all have come", within: .seconds(30)) { seen.withLock { $0.count } == count }
            #expect(publisher.isOpen && consuming.isOpen)
            try await queue.delete(ifUnused: false, ifEmpty: false)
        }
    }

    @Test func `an operator closes all connections`() async throws {
        try await expectNothingLost { try await $0.rabbitmqctl("close_all_connections", "for a test") }
    }

    @Test func `an operator closes the connection`() async throws {
        try await expectNothingLost { broker in
            let pids = try await broker.rabbitmqctl("-q", "list_connections", "--no-table-headers", "pid")
            for pid in pids.split(separator: "\n") {
                try await broker.rabbitmqctl("close_connection", "\(pid)", "test")
            }
        }
    }

    @Test func `the application in the node is stopped and started`() async throws {
        try await expectNothingLost { broker in
            try await broker.rabbitmqctl("stop_app")
            try await broker.rabbitmqctl("start_app")
        }
    }

    @Test func `the node is stopped and started`() async throws {
        try await expectNothingLost { broker in
            try await broker.stop()
            try await broker.start()
        }
    }

    @Test func `the node is killed and started`() async throws {
        try await expectNothingLost { broker in
            try await broker.kill()
            try await broker.start()
        }
    }

    @Test
    func `a user that was deleted meanwhile is told so, unless the credentials come from somebody who may change them`()
        async throws
    {
        let broker = try broker()
        let name = Mutex("first")
        let password = "secret"
        for user in ["first", "second"] {
            try await broker.rabbitmqctl("add_user", user, password)
            try await broker.rabbitmqctl("set_permissions", "-p", "/", user, ".*", ".*", ".*")
        }
        let fixed: (inout ConnectionConfiguration) -> Void = {
            $0.credentials = .plain(username: "first", password: password)
        }
        let provided: (inout ConnectionConfiguration) -> Void = {
            $0.credentials = .expiring {
                ExpiringSecret(password, username: name.withLock { $0 }, validFor: nil)
            }
        }
        try await RecoveringClient.run(on: broker, fixed) { fixed in
            try await RecoveringClient.run(on: broker, provided) { provided in
                let channel = try await provided.connection.openChannel()
                let queue = try await channel.declareQueue(exclusive: true)
                let gone = try await fixed.connection.openChannel()
                try await broker.rabbitmqctl("delete_user", "first")
                for client in [fixed, provided] {
                    // The broker may have closed them already.
                    client.proxy.cut()
                }
                let connection = fixed.connection
                let reason = try await within(.seconds(30), "it gives up") { try await connection.closed }
                #expect(reason.error.code == .authenticationFailed)
                #expect(gone.closeReason?.code == .authenticationFailed)
                #expect(fixed.events.all.contains { if case .gaveUp = $0 { true } else { false } })
                #expect(provided.connection.isOpen)
                name.withLock { $0 = "second" }
                try await provided.recovered(after: 0)
                try await queue.publish(Message("x"))
                #expect(try await queue.next().text() == "x")
            }
        }
    }

    /// Up to 4.2 the broker closes the channel; from 4.3 on it cancels the consumer, of quorum queues only.
    @Test func `a message that is kept for too long comes again, and its consumer goes on`() async throws {
        let broker = try broker()
        // Channels take both when they are opened.
        for setting in ["consumer_timeout, 1000", "channel_tick_interval, 500"] {
            try await broker.rabbitmqctl("eval", "application:set_env(rabbit, \(setting)).")
        }
        try await RecoveringClient.run(on: broker) { client in
            let channel = try await client.connection.openChannel()
            try await channel.setQos(prefetchCount: 1)
            let isLater = try await BrokerVersion.current >= .v4_3
            let queue = try await channel.declareQueue(
                TestBroker.uniqueName("recovery"),
                arguments: isLater ? QueueArguments(type: .quorum, consumerTimeout: .seconds(1)) : QueueArguments()
            )
            let given = Collected<IncomingMessage>()
            let consumer = try await queue.consume { given.add($0) }
            try await queue.publish(Message("slow"))
            try await eventually("it comes again", within: .seconds(60)) { given.count == 2 }
            let (first, again) = (given.all[0], given.all[1])
            #expect(again.redelivered && !again.isStale)
            #expect(first.isStale)
            try first.ack()
            try again.ack()
            try await queue.publish(Message("next"))
            try await eventually("the next one comes", within: .seconds(20)) { given.count == 3 }
            #expect(try given.all[2].text() == "next")
            try given.all[2].ack()
            #expect(!consumer.cancelled)
            // The connection has not been lost for it.
            #expect(client.reports.isEmpty && channel.isOpen)
            try await queue.delete(ifUnused: false, ifEmpty: false)
        }
    }
}
