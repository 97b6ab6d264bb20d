import RabbitMQ
import TestSupport
import Testing

@Suite("Recovery of what the broker deletes by itself", .timeLimit(.minutes(2)))
struct TransientRecoveryTests {
    @Test func `an auto-delete queue comes back with its binding and its consumer`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let channel = try await client.connection.openChannel()
            let exchange = try await channel.declareExchange(scratch.exchange(), type: .fanout)
            let queue = try await channel.declareQueue(scratch.queue(), autoDelete: true)
            try await queue.bind(to: exchange)
            let seen = Collected<String>()
            try await queue.consume(.noAck) { seen.add(try $0.text()) }
            let report = try await client.cutAndRecover()
            #expect(report.queues == 1 && report.exchanges == 1 && report.bindings == 1 && report.consumers == 1)
            #expect(report.refused.isEmpty)
            try await other.exchange(exchange.name).publish(Message("x"), routingKey: "")
            try await eventually("it came") { seen.all == ["x"] }
        }
    }

    @Test func `an auto-delete queue that has not been consumed comes back too`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let channel = try await client.connection.openChannel()
            let queue = try await channel.declareQueue(scratch.queue(), autoDelete: true)
            try await client.whileDown {
                try await other.queue(queue.name).delete(ifUnused: false, ifEmpty: false)
            }
            #expect(try await other.hasQueue(queue.name))
        }
    }

    @Test func `auto-delete queues whose consumers were cancelled do not come back`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let channel = try await client.connection.openChannel()
            var names: [String] = []
            for _ in 0..<100 {
                names.append(scratch.queue())
                let queue = try await channel.declareQueue(names.last ?? "", autoDelete: true)
                try await queue.consume(.noAck) { _ in }.cancel()
            }
            let report = try await client.cutAndRecover()
            #expect(report.queues == 0 && report.consumers == 0 && report.refused.isEmpty)
            #expect(try await !other.hasQueue(names[0]))
            #expect(try await !other.hasQueue(names[99]))
        }
    }

    /// What takes the last binding from an auto-delete exchange.
    enum LastBinding: CaseIterable, Sendable {
        case queueUnbound, queueDeleted, consumerCancelled, exchangeUnbound, exchangeDeleted
    }

    @Test(arguments: LastBinding.allCases)
    func `an auto-delete exchange that has lost its last binding does not come back`(_ end: LastBinding) async throws {
        try await RecoveringClient.use { client, scratch, other in
            let channel = try await client.connection.openChannel()
            let source = try await channel.declareExchange(scratch.exchange(), type: .fanout, autoDelete: true)
            // One that deletes itself when that one does.
            let first = try await channel.declareExchange(scratch.exchange(), type: .fanout, autoDelete: true)
            try await source.bind(to: first)
            let left: Int
            switch end {
            case .queueUnbound, .queueDeleted, .consumerCancelled:
                let queue = try await channel.declareQueue(
                    scratch.queue(),
                    autoDelete: end == .consumerCancelled
                )
                let binding = try await queue.bind(to: source)
                left = 0
                if end == .consumerCancelled { try await queue.consume(.noAck) { _ in }.cancel() }
                if end == .queueUnbound { try await binding.unbind() }
                if end != .consumerCancelled { try await queue.delete() }
            default:
                let destination = try await channel.declareExchange(scratch.exchange(), type: .fanout)
                let binding = try await destination.bind(to: source)
                left = end == .exchangeUnbound ? 1 : 0
                if end == .exchangeUnbound { try await binding.unbind() } else { try await destination.delete() }
            }
            try await eventually("the source is gone") { try await !other.hasExchange(source.name) }
            try await eventually("the first is gone") { try await !other.hasExchange(first.name) }
            let report = try await client.cutAndRecover()
            #expect(report.exchanges == left && report.bindings == 0 && report.queues == 0)
            #expect(report.refused.isEmpty)
            try await eventually("the source is gone") { try await !other.hasExchange(source.name) }
            try await eventually("the first is gone") { try await !other.hasExchange(first.name) }
        }
    }

    @Test func `an auto-delete exchange comes back, with what it leads to`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let channel = try await client.connection.openChannel()
            let source = try await channel.declareExchange(scratch.exchange(), type: .fanout, autoDelete: true)
            let target = try await channel.declareExchange(scratch.exchange(), type: .fanout, autoDelete: true)
            try await target.bind(to: source)
            let queue = try await channel.declareQueue(scratch.queue())
            try await queue.bind(to: target)
            let seen = Collected<String>()
            try await queue.consume(.noAck) { seen.add(try $0.text()) }
            let report = try await client.cutAndRecover()
            #expect(report.exchanges == 2 && report.bindings == 2 && report.refused.isEmpty)
            try await other.exchange(source.name).publish(Message("x"), routingKey: "")
            try await eventually("it came") { seen.all == ["x"] }
        }
    }

    @Test func `an exclusive queue waits until the broker has noticed that its old owner is gone`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let channel = try await client.connection.openChannel()
            let exchange = try await channel.declareExchange(scratch.exchange(), type: .fanout)
            let queue = try await channel.declareQueue(scratch.queue(), exclusive: true)
            try await queue.bind(to: exchange)
            let seen = Collected<String>()
            let consumer = try await queue.consume { message in
                seen.add(try message.text())
                try message.ack()
            }
            client.proxy.abandon()
            // Longer than recovery waits for it.
            let report = try await client.recovered(after: 0)
            #expect(report.refused.map(\.error.code).contains(.resourceLocked))
            client.proxy.cutAbandoned()
            // On channels of their own: the refusal of a question that comes too early would close the consumer's, which is
            // opened later each time.
            try await eventually("it consumes again", within: .seconds(60)) {
                let probe = try await client.connection.openChannel()
                let count = try? await probe.declareQueue(queue.name, passive: true).consumerCount
                await probe.close()
                return count == 1
            }
            try await eventually("it came by its binding") {
                try await other.exchange(exchange.name).publish(Message("x"), routingKey: "")
                return seen.all.contains("x")
            }
            #expect(!consumer.cancelled && channel.isOpen)
        }
    }
}
