import RabbitMQ
import TestSupport
import Testing

@Suite("What a connection counts", .timeLimit(.minutes(1)))
struct StatisticsTests {
    @Test func `each message that is published ends in one count`() async throws {
        try await TestBroker.withChannel { connection, channel in
            try await channel.selectConfirms()
            let queue = try await channel.declareQueue(exclusive: true)
            for _ in 0..<10 { try await queue.publishConfirmed(Message("x")) }
            let exchange = try channel.exchange("")
            await #expect(throws: AMQPError.self) {
                try await exchange.publishConfirmed(Message("x"), routingKey: TestBroker.uniqueName("nowhere"))
            }
            var statistics = connection.statistics
            #expect(statistics.published == 11)
            #expect(statistics.confirmed == 10)
            #expect(statistics.returned == 1)
            #expect(statistics.unconfirmed == 0)
            #expect(statistics.channels == 1)
            #expect(statistics.bytesSent > 11 * 20 && statistics.bytesReceived > 0)
            // The broker closes the channel over a message to an exchange that is not there.
            let other = try await connection.openChannel()
            try await other.selectConfirms()
            let missing = try other.exchange(TestBroker.uniqueName("missing"))
            await #expect(throws: AMQPError.self) { try await missing.publishConfirmed(Message("x"), routingKey: "k") }
            statistics = connection.statistics
            #expect(statistics.published == 12)
            #expect(statistics.nacked + statistics.unknownOutcomes == 1)
        }
    }

    @Test func `each message that is delivered ends in one count`() async throws {
        try await TestBroker.withChannel { connection, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            for _ in 0..<20 { try await queue.publish(Message("x")) }
            try await channel.setQos(prefetchCount: 10)
            let deliveries = try await queue.consume()
            #expect(connection.statistics.consumers == 1)
            var iterator = deliveries.makeAsyncIterator()
            for index in 0..<5 {
                let message = try #require(try await iterator.next())
                switch index {
                case 0: try message.reject(requeue: true)
                case 1: try message.reject(requeue: false)
                default: try message.ack()
                }
            }
            try await connection.flush()
            try await deliveries.consumer.cancel()
            _ = try await iterator.next()
            let got = try #require(try await queue.get())
            try await eventually("what was taken is settled") { connection.statistics.unsettled == 1 }
            try got.ack()
            try await connection.flush()
            let statistics = connection.statistics
            #expect(statistics.acknowledged == 4)
            #expect(statistics.requeued == 1)
            #expect(statistics.rejected == 1)
            #expect(statistics.redelivered >= 1)
            // Nothing is lost between these.
            let settled = statistics.acknowledged + statistics.requeued + statistics.rejected
            #expect(statistics.delivered == settled + statistics.givenBack)
            #expect(statistics.unsettled == 0 && statistics.consumers == 0)
            #expect("\(statistics)".contains("acknowledged: 4"))
        }
    }

    @Test func `they outlive a link, and say how often it was lost`() async throws {
        try await TCPProxy.run { proxy in
            var configuration = try TestBroker.configuration
            configuration.endpoints = [.init(host: "127.0.0.1", port: proxy.port)]
            configuration.tls?.verification = .withoutName
            configuration.recovery = RecoveryPolicy()
            try await Connection.withConnection(configuration) { connection in
                let channel = try await connection.openChannel()
                let queue = try await channel.declareQueue(exclusive: true)
                try await queue.publish(Message("x"))
                try await connection.flush()
                proxy.cut()
                try await eventually("it is there again") { connection.statistics.recoveries == 1 }
                try await queue.publish(Message("x"))
                let statistics = connection.statistics
                #expect(statistics.published == 2)
                #expect(statistics.losses == 1)
                #expect(statistics.timeDown > .zero)
                #expect(connection.statistics.timeDown == statistics.timeDown)
            }
        }
    }
}
