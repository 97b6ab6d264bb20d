import Logging
import RabbitMQ
import TestSupport
import Testing

@Suite("Deliveries that stay unsettled", .timeLimit(.minutes(2)))
struct UnsettledTests {
    private func withLog(timeout: Duration, _ body: (CapturedLog, Channel) async throws -> Void) async throws {
        let log = CapturedLog()
        var configuration = try TestBroker.configuration
        configuration.logger = log.logger
        configuration.consumerTimeout = timeout
        try await Connection.withConnection(configuration) { connection in
            try await connection.withChannel { try await body(log, $0) }
        }
    }

    private func warnings(_ log: CapturedLog) -> [CapturedLog.Entry] {
        log.entries(containing: "unsettled for so long")
    }

    @Test("the log warns once, before the broker would close the channel, with queue, tag and age")
    func warning() async throws {
        try await withLog(timeout: .seconds(5)) { log, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            let exchange = try channel.exchange("")
            for number in 0..<5 { try await exchange.publish(Message("\(number)"), routingKey: queue.name) }
            let begin = ContinuousClock.now
            var messages: [IncomingMessage] = []
            let deliveries = try await queue.consume()
            for try await message in deliveries {
                messages.append(message)
                if messages.count == 5 { break }
            }
            for message in messages where message.deliveryTag != 3 { try message.ack() }
            try await eventually("a warning") { !warnings(log).isEmpty }
            #expect(ContinuousClock.now - begin >= .seconds(4))
            try await Task.sleep(for: .milliseconds(300))
            let metadata = try #require(warnings(log).first).metadata
            #expect(warnings(log).count == 1)
            #expect(metadata["queue"] == .string(queue.name))
            #expect(metadata["delivery-tag"] == "3")
            #expect(metadata["channel"] == "1")
            #expect(metadata["age"] != nil)
            try messages[2].ack()
        }
    }

    @Test("a message that was asked for is watched too, and a later one anew")
    func get() async throws {
        try await withLog(timeout: .milliseconds(500)) { log, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            let exchange = try channel.exchange("")
            for count in 1...2 {
                try await exchange.publish(Message("x"), routingKey: queue.name)
                var message: IncomingMessage?
                try await eventually("a message") {
                    message = try await queue.get()
                    return message != nil
                }
                try await eventually("a warning") { warnings(log).count == count }
                try message?.ack()
            }
        }
    }

    @Test("what is settled in time, or never to be settled, gives no warning", arguments: [0, 3000])
    func quiet(milliseconds: Int) async throws {
        try await withLog(timeout: .milliseconds(milliseconds)) { log, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            let exchange = try channel.exchange("")
            for number in 0..<20 { try await exchange.publish(Message("\(number)"), routingKey: queue.name) }
            var count = 0
            for try await message in try await queue.consume() {
                count += 1
                if milliseconds > 0 { try message.ack() }
                if count == 20 { break }
            }
            let other = try await queue.get(noAck: true)
            #expect(other == nil)
            try await Task.sleep(for: .seconds(4))
            #expect(warnings(log).isEmpty)
        }
    }
}
