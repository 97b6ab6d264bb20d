import RabbitMQ
import TestSupport
import Testing

@Suite("Recovery of what was deleted", .timeLimit(.minutes(2)))
struct DeletedEntityTests {
    @Test func `queues, exchanges, bindings and consumers that were removed do not come back`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let channel = try await client.connection.openChannel()
            let exchange = try await channel.declareExchange(scratch.exchange(), type: .fanout)
            let deleted = try await channel.declareExchange(scratch.exchange(), type: .fanout)
            let queue = try await channel.declareQueue(scratch.queue())
            let gone = try await channel.declareQueue(scratch.queue())
            let unbound = try await queue.bind(to: exchange)
            try await gone.bind(to: exchange)
            let apart = try await deleted.bind(to: exchange)
            try await queue.bind(to: deleted)
            let consumer = try await queue.consume { _ in }
            try await consumer.cancel()
            try await unbound.unbind()
            try await apart.unbind()
            try await gone.delete()
            try await deleted.delete(ifUnused: false)
            let report = try await client.cutAndRecover()
            #expect(report.exchanges == 1 && report.queues == 1 && report.bindings == 0 && report.consumers == 0)
            #expect(try await !other.hasQueue(gone.name))
            #expect(try await !other.hasExchange(deleted.name))
            #expect(try await other.declareQueue(queue.name, passive: true).consumerCount == 0)
            try await other.exchange(exchange.name, type: .fanout).publish(
                Message("x"),
                routingKey: "",
                mandatory: false
            )
            #expect(try await other.queue(queue.name).readyCount() == 0)
        }
    }

    @Test func `what was deleted without waiting does not come back`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let channel = try await client.connection.openChannel()
            let exchange = try await channel.declareExchange(scratch.exchange())
            let queue = try await channel.declareQueue(scratch.queue())
            try await queue.delete(noWait: true)
            try await exchange.delete(noWait: true)
            // The broker has done what stands before this.
            try await channel.setQos(prefetchCount: 1)
            let report = try await client.cutAndRecover()
            #expect(report.exchanges == 0 && report.queues == 0)
            #expect(try await !other.hasQueue(queue.name))
            #expect(try await !other.hasExchange(exchange.name))
        }
    }

    @Test func `deleting while there is no connection deletes what came back`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let channel = try await client.connection.openChannel()
            let exchange = try await channel.declareExchange(scratch.exchange())
            let queue = try await channel.declareQueue(scratch.queue())
            try await queue.bind(to: exchange, routingKey: "k")
            let (deleting, report) = try await client.whileDown {
                Task {
                    try await queue.delete()
                    try await exchange.delete()
                }
            }
            try await deleting.value
            #expect(report.queues == 1 && report.exchanges == 1 && report.bindings == 1)
            #expect(try await !other.hasQueue(queue.name))
            #expect(try await !other.hasExchange(exchange.name))
            #expect(try await client.cutAndRecover().queues == 0)
        }
    }

    @Test func `a consumer whose queue somebody deletes ends with its reason, and does not come back`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let channel = try await client.connection.openChannel()
            let queue = try await channel.declareQueue(scratch.queue())
            let kept = try await channel.declareQueue(scratch.queue())
            let consumer = try await queue.consume { _ in }
            let others = Collected<String>()
            try await kept.consume(.noAck) { others.add(try $0.text()) }
            try await other.queue(queue.name).delete(ifUnused: false, ifEmpty: false)
            let reason = try await within(.seconds(20), "the consumer ends") { try await consumer.ended }
            #expect(reason?.code == .consumerCancelled)
            let report = try await client.cutAndRecover()
            #expect(report.queues == 1 && report.consumers == 1)
            #expect(try await !other.hasQueue(queue.name))
            try await other.send("x", to: kept.name)
            try await eventually("the other consumer goes on") { others.all == ["x"] }
        }
    }

    @Test func `a consumer whose queue was deleted while there was no connection ends, and the others go on`()
        async throws
    {
        // Of queues that are declared elsewhere: those declared here would be made again.
        try await RecoveringClient.use { client, scratch, other in
            let (gone, kept) = (scratch.queue(), scratch.queue())
            for name in [gone, kept] { try await other.declareQueue(name) }
            let channel = try await client.connection.openChannel()
            let seen = Collected<String>()
            let before = try await channel.queue(kept).consume(.noAck) { seen.add("before \(try $0.text())") }
            let lost = try await channel.queue(gone).consume { _ in }
            let after = try await channel.queue(kept).consume(.noAck) { seen.add("after \(try $0.text())") }
            let (_, report) = try await client.whileDown {
                try await other.queue(gone).delete(ifUnused: false, ifEmpty: false)
            }
            let reason = try await within(.seconds(20), "the consumer ends") { try await lost.ended }
            #expect(reason?.code == .notFound)
            #expect(report.consumers == 2)
            #expect(channel.closeReason == nil)
            try await other.send("x", to: kept)
            try await other.send("y", to: kept)
            try await eventually("the others go on") {
                Set(seen.all) == ["before x", "after y"] || Set(seen.all) == ["after x", "before y"]
            }
            #expect(!before.cancelled && !after.cancelled)
        }
    }
}
