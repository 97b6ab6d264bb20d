import RabbitMQ
import TestSupport
import Testing

@Suite("Recovery of queues that the broker names", .timeLimit(.minutes(2)))
struct ServerNamedRecoveryTests {
    @Test func `several consumers and bindings follow the new name, once and again`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let channel = try await client.connection.openChannel()
            let exchange = try await channel.declareExchange(scratch.exchange(), type: .topic)
            let queue = try await channel.declareQueue(exclusive: true)
            try await queue.bind(to: exchange, routingKey: "a.*")
            let removed = try await queue.bind(to: exchange, routingKey: "b.*")
            let second = try await client.connection.openChannel()
            let seen = Collected<String>()
            for each in [channel, channel, second] {
                let handle = each === channel ? queue : try each.queue(queue.name)
                try await handle.consume { message in
                    seen.add(try message.text())
                    try message.ack()
                }
            }
            for round in 0..<3 {
                let before = queue.name
                let report = try await client.cutAndRecover()
                #expect(report.renamed == [before: queue.name] && queue.name != before)
                #expect(report.bindings == (round < 2 ? 2 : 1) && report.refused.isEmpty)
                #expect(try await !other.hasQueue(before))
                try await other.exchange(exchange.name).publish(Message("\(round)"), routingKey: "a.x")
                try await eventually("it came") { seen.all.last == "\(round)" }
                #expect(try await channel.declareQueue(queue.name, passive: true).consumerCount == 3)
                if round == 1 { try await removed.unbind() }
            }
        }
    }

    @Test func `handles use the new name for publishing, getting and deleting`() async throws {
        try await RecoveringClient.run { client in
            let channel = try await client.connection.openChannel()
            let queue = try await channel.declareQueue(exclusive: true)
            try await client.cutAndRecover()
            try await queue.publish(Message("x"))
            #expect(try await queue.next().text() == "x")
            #expect(try await queue.purge() == 0)
            try await queue.delete()
            let report = try await client.cutAndRecover()
            #expect(report.queues == 0 && report.renamed.isEmpty)
            #expect(channel.isOpen)
        }
    }

    @Test func `one that nobody holds any more does not come back`() async throws {
        try await RecoveringClient.run { client in
            let channel = try await client.connection.openChannel()
            do { _ = try await channel.declareQueue(exclusive: true) }
            let kept = try await channel.declareQueue(exclusive: true)
            let report = try await client.cutAndRecover()
            #expect(report.queues == 1 && report.renamed.count == 1)
            #expect(try await channel.declareQueue(kept.name, passive: true).messageCount == 0)
        }
    }

    @Test func `a server of requests is reached by its binding again`() async throws {
        try await RecoveringClient.use { client, scratch, _ in
            let channel = try await client.connection.openChannel()
            let exchange = try await channel.declareExchange(scratch.exchange())
            let queue = try await channel.declareQueue(exclusive: true)
            try await queue.bind(to: exchange, routingKey: "requests")
            let server = try await queue.serveMessages { request in try Message(request.text().uppercased()) }
            let rpc = try await client.connection.openRPCClient(exchange: exchange.name, routingKey: "requests")
            #expect(try await rpc.call(Message("a")).text() == "A")
            for round in 0..<3 {
                try await client.cutAndRecover()
                #expect(try await rpc.call(Message("b\(round)")).text() == "B\(round)")
            }
            await server.stop(within: .zero)
            await rpc.close()
        }
    }

    @Test func `a call that begins while there is no connection is answered`() async throws {
        try await RecoveringClient.use { client, scratch, _ in
            let channel = try await client.connection.openChannel()
            // An exclusive one goes with the old connection, with a request that reached it just before.
            let queue = try await channel.declareQueue(scratch.queue())
            let server = try await queue.serveMessages { request in try Message(request.text().uppercased()) }
            let rpc = try await client.connection.openRPCClient(routingKey: queue.name)
            let (call, _) = try await client.whileDown {
                let call = Task {
                    while true {
                        do {
                            return try await rpc.call(Message("late"))
                        } catch AMQPError.Code.outcomeUnknown {
                            // It was a moment too early, and counts as one that may have run.
                            continue
                        }
                    }
                }
                try await eventually("it waits") { rpc.pendingCount == 1 }
                return call
            }
            #expect(try await call.value.text() == "LATE")
            await server.stop(within: .zero)
        }
    }
}
