import Foundation
import RabbitMQ
import TestSupport
import Testing

/// What takes much of the machine: one at a time, so that the tests beside it keep their deadlines.
@Suite("Under load", .serialized)
enum UnderLoad {}

extension UnderLoad {
    @Suite("Scale", .timeLimit(.minutes(1)))
    struct ScaleTests {
        @Test("1,000 tasks on one connection, each with a channel of its own, get their own answers")
        func ownChannels() async throws {
            try await TestBroker.withConnection { connection in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<1000 {
                        group.addTask { try await connection.withChannel { try await exercise($0, number) } }
                    }
                    try await group.waitForAll()
                }
            }
        }

        @Test("1,000 tasks on ten shared channels get their own answers")
        func sharedChannels() async throws {
            try await TestBroker.withConnection { connection in
                var channels: [Channel] = []
                for _ in 0..<10 { channels.append(try await connection.openChannel()) }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<1000 {
                        let channel = channels[number % channels.count]
                        group.addTask { try await exercise(channel, number) }
                    }
                    try await group.waitForAll()
                }
            }
        }

        /// Publishes to a queue of its own and checks every answer against what only it can be.
        private func exercise(_ channel: Channel, _ number: Int) async throws {
            let queue = try await channel.declareQueue(TestBroker.uniqueName("scale-\(number)"), exclusive: true)
            let count = number % 5 + 1
            try await channel.declareExchange("").publishNumbers(number..<(number + count), to: queue)
            let first = try await queue.get(noAck: true)
            if first?.number != number { Issue.record("task \(number) got \(String(describing: first?.number))") }
            let same = try await channel.declareQueue(queue.name, exclusive: true, passive: true)
            if same.name != queue.name { Issue.record("task \(number) got the queue \(same.name)") }
            let purged = try await queue.purge()
            if purged != count - 1 { Issue.record("task \(number) purged \(purged)") }
            try await queue.delete()
        }

        @Test("200 connections open at once, each of which works")
        func manyConnections() async throws {
            let configuration = try TestBroker.configuration
            let connections = try await withThrowingTaskGroup(of: Connection.self) { group in
                for _ in 0..<200 { group.addTask { try await Connection.connect(configuration) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for connection in connections { group.addTask { try await connection.answers() } }
                for try await answers in group { #expect(answers) }
            }
            #expect(connections.allSatisfy { $0.closeReason == nil })
            await withTaskGroup(of: Void.self) { group in
                for connection in connections { group.addTask { await connection.close() } }
            }
            #expect(connections.allSatisfy { $0.closeReason?.kind == .closedByApplication })
        }
    }

}

extension UnderLoad {
    /// In processes of their own, so that no other test opens files or takes memory meanwhile.
    @Suite("Leaks", .timeLimit(.minutes(1)))
    struct LeakTests {
        @Test("2,000 connections opened and closed leave no descriptor and no growing memory")
        func connections() async {
            await #expect(processExitsWith: .success) {
                await recordingErrors {
                    let configuration = try TestBroker.configuration
                    try await ProcessMeasure.cycles(2000, lanes: 4) {
                        let connection = try await Connection.connect(configuration)
                        await connection.close()
                    }
                }
            }
        }

        @Test("2,000 channels opened and closed leave no growing memory")
        func channels() async {
            await #expect(processExitsWith: .success) {
                await recordingErrors {
                    try await TestBroker.withConnection { connection in
                        try await ProcessMeasure.cycles(2000, lanes: 4) {
                            let channel = try await connection.openChannel()
                            let queue = try await channel.declareQueue(exclusive: true, autoDelete: true)
                            let deliveries = try await queue.consume()
                            withExtendedLifetime(deliveries) {}
                            await channel.close()
                        }
                    }
                }
            }
        }

        @Test("500 connections that nobody closes but nobody holds either leave no descriptor")
        func dropped() async {
            await #expect(processExitsWith: .success) {
                await recordingErrors {
                    let configuration = try TestBroker.configuration
                    try await ProcessMeasure.cycles(500, lanes: 4) {
                        let connection = try await Connection.connect(configuration)
                        let channel = try await connection.openChannel()
                        let queue = try await channel.declareQueue(exclusive: true)
                        let deliveries = try await queue.consume()
                        withExtendedLifetime((connection, deliveries)) {}
                    }
                }
            }
        }
    }
}
