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

    /// Publishes a message, and asks for it.
    private func message(from queue: Queue) async throws -> IncomingMessage {
        try await queue.channel.exchange("").publish(Message("x"), routingKey: queue.name)
        var message: IncomingMessage?
        try await eventually("a message") {
            message = try await queue.get()
            return message != nil
        }
        return try #require(message)
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
            for count in 1...2 {
                let message = try await message(from: queue)
                try await eventually("a warning") { warnings(log).count == count }
                try message.ack()
            }
        }
    }

    @Test("what is acknowledged in time, or needs no acknowledgement, gives no warning")
    func quiet() async throws {
        try await withLog(timeout: .seconds(2)) { log, channel in
            let lax = try await channel.declareQueue(exclusive: true)
            let prompt = try await channel.declareQueue(exclusive: true)
            let slow = try await channel.declareQueue(exclusive: true)
            var untold = try await lax.consume(.noAck).makeAsyncIterator()
            for _ in 0..<20 {
                try await channel.exchange("").publish(Message("x"), routingKey: lax.name)
                _ = try await untold.next()
            }
            var acknowledged = try await prompt.consume().makeAsyncIterator()
            try await channel.exchange("").publish(Message("x"), routingKey: prompt.name)
            try await acknowledged.next()?.ack()
            let late = try await message(from: slow)
            // It is of the oldest that is unsettled: had one before counted as that, of that one.
            try await eventually("a warning") { !warnings(log).isEmpty }
            let metadata = try #require(warnings(log).first).metadata
            #expect(metadata["delivery-tag"] == "22")
            #expect(metadata["queue"] == .string([prompt.name, slow.name].sorted().joined(separator: ", ")))
            #expect(warnings(log).count == 1)
            try late.ack()
            withExtendedLifetime((untold, acknowledged)) {}
        }
    }

    @Test("a timeout of zero gives no warning, however long a delivery is unsettled")
    func off() async throws {
        try await withLog(timeout: .zero) { silent, unwatched in
            let forgotten = try await message(from: try await unwatched.declareQueue(exclusive: true))
            try await withLog(timeout: .milliseconds(500)) { log, watched in
                let late = try await message(from: try await watched.declareQueue(exclusive: true))
                try await eventually("the other one's warning") { !warnings(log).isEmpty }
                try late.ack()
            }
            #expect(warnings(silent).isEmpty)
            try forgotten.ack()
        }
    }
}
