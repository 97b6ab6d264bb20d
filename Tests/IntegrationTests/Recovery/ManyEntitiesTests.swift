import Dispatch
import RabbitMQ
import TestSupport
import Testing

@Suite("Recovery of many things", .timeLimit(.minutes(3)))
struct ManyEntitiesTests {
    @Test func `1,000 queues with bindings and consumers come back, and each consumer has its messages`() async throws {
        try await RecoveringClient.use({ $0.callTimeout = .seconds(60) }) { client, scratch, other in
            let channel = try await client.connection.openChannel()
            let exchange = try await channel.declareExchange(scratch.exchange())
            let seen = Collected<Int>()
            for number in 0..<1000 {
                let queue = try await channel.declareQueue(exclusive: true)
                try await queue.bind(to: exchange, routingKey: "\(number)")
                try await queue.consume(.noAck) { _ in seen.add(number) }
            }
            for round in 1...2 {
                let report = try await client.cutAndRecover()
                #expect(report.queues == 1000 && report.bindings == 1000 && report.consumers == 1000)
                #expect(report.renamed.count == 1000 && report.refused.isEmpty)
                for number in 0..<1000 {
                    try await other.exchange(exchange.name).publish(Message("x"), routingKey: "\(number)")
                }
                try await eventually("all came", within: .seconds(30)) { seen.count == 1000 * round }
                #expect(Set(seen.all).count == 1000)
            }
        }
    }

    @Test func `1,000 consumers of one queue come back with their tags`() async throws {
        try await RecoveringClient.use({ $0.callTimeout = .seconds(60) }) { client, scratch, other in
            let channel = try await client.connection.openChannel()
            try await channel.setQos(prefetchCount: 1)
            let queue = try await channel.declareQueue(scratch.queue())
            let tags = Collected<String>()
            var consumers: [Consumer] = []
            for _ in 0..<1000 { consumers.append(try await queue.consume { tags.add($0.consumerTag ?? "") }) }
            let report = try await client.cutAndRecover()
            #expect(report.consumers == 1000 && report.channels == 1)
            #expect(try await other.declareQueue(queue.name, passive: true).consumerCount == 1000)
            for _ in 0..<1000 { try await other.send("x", to: queue.name) }
            try await eventually("each has one", within: .seconds(30)) { tags.count == 1000 }
            #expect(Set(tags.all) == Set(consumers.map(\.tag)))
        }
    }

    @Test func `many channels come back under their numbers`() async throws {
        try await RecoveringClient.run { client in
            var channels: [Channel] = []
            for _ in 0..<300 { channels.append(try await client.connection.openChannel()) }
            for _ in 0..<3 {
                let report = try await client.cutAndRecover()
                #expect(report.channels == 300)
                #expect(channels.map(\.number) == Array(1...300))
            }
            for channel in [channels[0], channels[150], channels[299]] {
                #expect(try await channel.declareQueue(exclusive: true).messageCount == 0)
            }
        }
    }

    @Test func `channels come back together, also when the connection is lost the moment that it is there again`()
        async throws
    {
        let lost = DispatchSemaphore(value: 0)
        let (proxies, returns) = (Collected<TCPProxy>(), Collected<String>())
        let log = CapturedLog { entry in
            if entry.message.hasPrefix("the connection was lost") { lost.signal() }
            guard entry.message.hasPrefix("the connection is there again") else { return }
            returns.add(entry.message)
            guard returns.count == 1, let proxy = proxies.all.first else { return }
            // Holds up who has brought it back until it is lost again.
            proxy.cut()
            for _ in 1...2 { _ = lost.wait(timeout: .now() + 20) }
        }
        try await RecoveringClient.run({ $0.logger = log.logger }) { client in
            proxies.add(client.proxy)
            var channels: [Channel] = []
            for _ in 0..<20 { channels.append(try await client.connection.openChannel()) }
            #expect(try await client.cutAndRecover().channels == 20)
            #expect(try await client.recovered(after: 1).channels == 20)
            #expect(channels.map(\.number) == Array(1...20))
        }
    }
}
