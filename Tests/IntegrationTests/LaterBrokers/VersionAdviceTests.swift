import Logging
import RabbitMQ
import TestSupport
import Testing

@Suite("Advice for the broker's version")
struct VersionAdviceTests {
    /// Runs `body` on a connection of its own, and gives the warnings.
    private func warnings(_ body: (Connection, Channel) async throws -> Void) async throws -> [CapturedLog.Entry] {
        let log = CapturedLog()
        try await Connection.withConnection(try TestBroker.configuration(log: log)) { connection in
            try await connection.withChannel { try await body(connection, $0) }
        }
        return log.entries.filter { $0.level == .warning }
    }

    @Test("an old queue mode is warned of once where the broker ignores it")
    func queueMode() async throws {
        let version = try await BrokerVersion.current
        let warnings = try await warnings { _, channel in
            for _ in 0..<3 {
                try await channel.declareQueue(exclusive: true, arguments: QueueArguments(mode: .lazy))
            }
        }
        #expect(warnings.count == (version < .v4_0 ? 0 : 1), "\(warnings)")
        #expect(warnings.allSatisfy { $0.message.contains("x-queue-mode is ignored") })
    }

    @Test("a queue that is neither durable nor exclusive is warned of from 4.3 on, before the broker closes for it")
    func transient() async throws {
        let version = try await BrokerVersion.current
        let warnings = try await warnings { connection, channel in
            do {
                let queue = try await channel.declareQueue(TestBroker.uniqueName("transient"), durable: false)
                try await queue.delete(ifUnused: false, ifEmpty: false)
            } catch let error as AMQPError where error.replyCode == .internalError {
                // RabbitMQ 4.3.0 to 4.3.5.
                #expect(version >= .v4_3)
            }
        }
        let advice = warnings.filter { $0.message.contains("neither durable nor exclusive") }
        #expect(advice.count == (version < .v4_3 ? 0 : 1), "\(warnings)")
    }

    @Test("what 4.3 refuses is warned of before it does: the queue's version 1, its master locator")
    func refused() async throws {
        let version = try await BrokerVersion.current
        for (arguments, code) in [
            (["x-queue-type": "classic", "x-queue-version": 1], ReplyCode.preconditionFailed),
            (["x-queue-type": "classic", "x-queue-master-locator": "client-local"], .internalError),
        ] as [(FieldTable, ReplyCode)] {
            let log = CapturedLog()
            do {
                try await Connection.withConnection(try TestBroker.configuration(log: log)) { connection in
                    _ = try await connection.openChannel().declareQueue(
                        exclusive: true,
                        arguments: QueueArguments(arguments)
                    )
                }
                #expect(version < .v4_3)
            } catch let error as AMQPError {
                #expect(version >= .v4_3)
                #expect(error.replyCode == code, "\(error)")
            }
            let name = arguments.keys.first { $0 != "x-queue-type" } ?? ""
            let advice = log.entries.filter { $0.level == .warning && $0.message.hasPrefix(name) }
            #expect(advice.count == (version < .v4_3 ? 0 : 1), "\(log.entries)")
        }
    }

    @Test("a limit for all consumers of a channel is warned of where each of them gets it")
    func globalLimit() async throws {
        let version = try await BrokerVersion.current
        let warnings = try await warnings { _, channel in
            try await channel.setQos(prefetchCount: 1)
            try await channel.setQos(prefetchCount: 0, global: true)
            for _ in 0..<2 { try await channel.setQos(prefetchCount: 10, global: true) }
        }
        #expect(warnings.count == (version < .v4_3 ? 0 : 1), "\(warnings)")
        #expect(warnings.allSatisfy { $0.message.contains("(global) is denied") })
    }

    @Test("what every version takes is not warned of")
    func nothing() async throws {
        let warnings = try await warnings { _, channel in
            try await channel.declareQueue(durable: false, exclusive: true, autoDelete: true)
            try await channel.declareQueue(
                exclusive: true,
                arguments: QueueArguments(type: .classic, maxLength: 5, maxPriority: 3)
            )
            try await channel.setQos(prefetchCount: 10)
        }
        #expect(warnings.isEmpty, "\(warnings)")
    }
}
