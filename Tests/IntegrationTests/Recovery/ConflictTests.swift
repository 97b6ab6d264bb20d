import RabbitMQ
import TestSupport
import Testing

@Suite("Recovery of what can't come back as it was", .timeLimit(.minutes(2)))
struct ConflictTests {
    @Test func `a queue and an exchange that somebody declared otherwise are reported and skipped, without a loop`()
        async throws
    {
        try await RecoveringClient.use { client, scratch, other in
            let channel = try await client.connection.openChannel()
            let names = (0..<5).map { _ in scratch.queue() }
            for name in names { try await channel.declareQueue(name) }
            let exchange = try await channel.declareExchange(scratch.exchange())
            let next = try await channel.declareExchange(scratch.exchange())
            for name in names { try await channel.queue(name).bind(to: next, routingKey: name) }
            let (_, report) = try await client.whileDown {
                for name in names { try await other.queue(name).delete(ifUnused: false, ifEmpty: false) }
                try await other.declareQueue(names[2], arguments: QueueArguments(maxLength: 7))
                try await other.exchange(exchange.name).delete(ifUnused: false)
                try await other.declareExchange(exchange.name, type: .topic)
            }
            #expect(report.queues == 4 && report.exchanges == 1 && report.bindings == 5)
            let refused = report.refused.map(\.entity)
            #expect(refused.count == 2)
            #expect(refused.contains { if case .queue(let queue) = $0 { queue.name == names[2] } else { false } })
            #expect(refused.contains { if case .exchange(let each) = $0 { each.name == exchange.name } else { false } })
            #expect(report.refused.allSatisfy { $0.error.code == .preconditionFailed })
            let tries = client.events.all.filter { if case .trying = $0 { true } else { false } }
            #expect(tries.count == 1 && client.connection.state == .up && channel.isOpen)
            // What somebody else made stays as it is.
            try await other.declareQueue(names[2], arguments: QueueArguments(maxLength: 7))
            try await other.declareExchange(exchange.name, type: .topic)
        }
    }

    @Test func `a binding whose exchange somebody deleted is reported, and the others are there`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let foreign = scratch.exchange()
            try await other.declareExchange(foreign, type: .fanout)
            let channel = try await client.connection.openChannel()
            let queue = try await channel.declareQueue(scratch.queue())
            let own = try await channel.declareExchange(scratch.exchange(), type: .fanout)
            try await queue.bind(to: foreign)
            try await queue.bind(to: own)
            let (_, report) = try await client.whileDown { try await other.exchange(foreign).delete(ifUnused: false) }
            #expect(report.bindings == 1 && report.refused.count == 1)
            #expect(report.refused.first?.error.code == .notFound)
            try await own.publish(Message("x"), routingKey: "")
            #expect(try await queue.next().text() == "x")
        }
    }

    /// What somebody does to everything while the connection is down.
    private func policies(
        _ policy: RecoveryPolicy.EntityRecovery,
        deletes: Bool,
        _ body: (RecoveryReport, _ other: Channel, _ queue: String, _ exchange: String) async throws -> Void
    ) async throws {
        try await RecoveringClient.use({ $0.recovery.topology = { _ in policy } }) { client, scratch, other in
            let channel = try await client.connection.openChannel()
            let queue = try await channel.declareQueue(scratch.queue())
            let exchange = try await channel.declareExchange(scratch.exchange())
            try await queue.bind(to: exchange, routingKey: "k")
            let (_, report) = try await client.whileDown {
                guard deletes else { return }
                try await other.queue(queue.name).delete(ifUnused: false, ifEmpty: false)
                try await other.exchange(exchange.name).delete(ifUnused: false)
            }
            try await body(report, other, queue.name, exchange.name)
        }
    }

    @Test func `what is to be verified is looked for, and reported if it is gone`() async throws {
        try await policies(.verify, deletes: false) { report, _, _, _ in
            #expect(report.queues == 1 && report.exchanges == 1 && report.bindings == 0 && report.refused.isEmpty)
        }
        try await policies(.verify, deletes: true) { report, other, queue, exchange in
            #expect(report.queues == 0 && report.exchanges == 0 && report.refused.count == 2)
            #expect(report.refused.allSatisfy { $0.error.code == .notFound })
            let found = [try await other.hasQueue(queue), try await other.hasExchange(exchange)]
            #expect(found == [false, false])
        }
    }

    @Test func `what is to be left is not asked about`() async throws {
        try await policies(.leave, deletes: true) { report, other, queue, exchange in
            #expect(report.queues == 0 && report.exchanges == 0 && report.bindings == 0 && report.refused.isEmpty)
            let found = [try await other.hasQueue(queue), try await other.hasExchange(exchange)]
            #expect(found == [false, false])
        }
    }

    @Test func `each entity has a policy of its own`() async throws {
        let names = (0..<3).map { TestBroker.uniqueName("recovery.\($0)") }
        let configure: (inout ConnectionConfiguration) -> Void = { configuration in
            configuration.recovery.topology = { entity in
                guard case .queue(let queue) = entity else { return .leave }
                return queue.name == names[0] ? .declare : queue.name == names[1] ? .verify : .leave
            }
        }
        try await RecoveringClient.use(configure) { client, _, other in
            let channel = try await client.connection.openChannel()
            for name in names { try await channel.declareQueue(name) }
            let (_, report) = try await client.whileDown {
                for name in names { try await other.queue(name).delete(ifUnused: false, ifEmpty: false) }
            }
            #expect(report.queues == 1 && report.refused.count == 1)
            #expect(try await other.hasQueue(names[0]))
            #expect(try await !other.hasQueue(names[1]))
            #expect(try await !other.hasQueue(names[2]))
            try await other.queue(names[0]).delete()
        }
    }

    @Test func `a consumer whose queue can't come back ends with the reason`() async throws {
        try await RecoveringClient.use({ $0.recovery.topology = { _ in .leave } }) { client, scratch, other in
            let channel = try await client.connection.openChannel()
            let queue = try await channel.declareQueue(scratch.queue(), exclusive: true)
            let consumer = try await queue.consume { _ in }
            let report = try await client.cutAndRecover()
            #expect(report.consumers == 0)
            let reason = try await within(.seconds(20), "it ends") { try await consumer.ended }
            #expect(reason?.code == .notFound)
            #expect(channel.isOpen)
            #expect(try await channel.declareExchange("amq.topic", passive: true).name == "amq.topic")
        }
    }
}
