import Foundation
import RabbitMQ
import TestSupport
import Testing

/// The code of the overview and of the article Recovery, which `everyExampleIsHere` holds against these: every line of it
/// compiles, and what can run does. That of the other pages `scripts/snippets.sh` compiles, and `scripts/tutorials.sh` runs.
@Suite("The pages' examples", .timeLimit(.minutes(1)))
struct PageExamples {
    /// What the documentation's loop does with a message.
    var handle: @Sendable (IncomingMessage) async throws -> Void = { _ in }

    func consumeWithoutRecovery(_ configuration: ConnectionConfiguration, queue name: String) async throws {
        var delay = Duration.milliseconds(100)
        while true {
            do {
                try await Connection.withConnection(configuration) { connection in
                    delay = .milliseconds(100)
                    let channel = try await connection.openChannel()
                    try await channel.setQos(prefetchCount: 100)
                    let queue = try await channel.declareQueue(name)
                    for try await message in try await queue.consume() {
                        try await handle(message)
                        try message.ack()
                    }
                }
                return
            } catch let error as AMQPError where error.isRecoverable {
                try await Task.sleep(for: delay)
                delay = min(delay * 2, .seconds(30))
            }
        }
    }

    @Test(
        "the documentation's loop connects anew after the broker has closed the connection, and ends when told",
        .needsRabbitmqctl
    )
    func reconnecting() async throws {
        var configuration = try TestBroker.configuration
        let name = TestBroker.uniqueName("reconnecting")
        configuration.connectionName = name
        let consuming = Task { [configuration] in try await consumeWithoutRecovery(configuration, queue: name) }
        try await TestBroker.withChannel { _, channel in
            func consumers() async throws -> Int { try await channel.declareQueue(name).consumerCount }
            for _ in 0..<2 {
                try await eventually("it consumes") { try await consumers() == 1 }
                // How soon it is back, nobody knows: what counts is that the broker has closed one connection.
                let closed = try await Subprocess.rabbitmqctl("eval", Self.closing(name))
                #expect(closed.contains("[ok]"), "\(closed)")
            }
            try await eventually("it consumes again") { try await consumers() == 1 }
            consuming.cancel()
            await #expect(throws: CancellationError.self) { try await consuming.value }
            try await channel.declareQueue(name).delete(ifUnused: false, ifEmpty: false)
        }
    }

    @Test(
        "the documentation's loop comes back also if the connection goes while a message is handled",
        .needsRabbitmqctl
    )
    func lostWhileHandling() async throws {
        var configuration = try TestBroker.configuration
        let name = TestBroker.uniqueName("reconnecting")
        let log = CapturedLog()
        configuration.connectionName = name
        configuration.logger = log.logger
        let redelivered = Collected<Bool>()
        let examples = PageExamples { message in
            redelivered.add(message.redelivered)
            guard !message.redelivered else { return }
            _ = try await Subprocess.rabbitmqctl("eval", Self.closing(name))
            try await eventually("the client knows") { !log.entries(containing: "connection ended").isEmpty }
        }
        try await TestBroker.withChannel { _, channel in
            let queue = try await channel.declareQueue(name)
            try await channel.exchange("").publish(Message("x"), routingKey: name)
            let consuming = Task { [configuration] in
                try await examples.consumeWithoutRecovery(configuration, queue: name)
            }
            try await eventually("it is handled again", within: .seconds(30)) { redelivered.all == [false, true] }
            consuming.cancel()
            await #expect(throws: CancellationError.self) { try await consuming.value }
            try await queue.delete(ifUnused: false, ifEmpty: false)
        }
    }

    func consumeForEver(_ configuration: ConnectionConfiguration, queue name: String) async throws {
        try await Connection.withConnection(configuration) { connection in
            let channel = try await connection.openChannel()
            try await channel.setQos(prefetchCount: 100)
            let queue = try await channel.declareQueue(name)
            for try await message in try await queue.consume() {
                try await handle(message)
                try message.ack()
            }
        }
    }

    private static func listen(_ connection: Connection) async {
        for await event in connection.events {
            switch event {
            case .lost(let reason): print("lost: \(reason)")
            case .recovered(let report, let after): print("back after \(after), \(report.refused.count) refused")
            default: break
            }
        }
    }

    @Test(
        "the documentation's loop without a line of recovery goes on after the broker has closed the connection twice"
    )
    func recovering() async throws {
        try await RecoveringClient.run { client in
            let name = TestBroker.uniqueName("recovering")
            let seen = Collected<[UInt8]>()
            let examples = PageExamples { seen.add($0.body) }
            let channel = try await client.connection.openChannel()
            let queue = try await channel.declareQueue(name)
            let configuration = client.configuration
            let consuming = Task { try await examples.consumeForEver(configuration, queue: name) }
            for round in 1...3 {
                try await queue.publish(Message(body: [UInt8(round)], deliveryMode: .persistent))
                try await eventually("it is handled") { seen.all.last == [UInt8(round)] }
                try await client.cutAndRecover()
            }
            consuming.cancel()
            _ = try? await consuming.value
            try await queue.delete(ifUnused: false, ifEmpty: false)
        }
    }

    func greet(_ configuration: ConnectionConfiguration, queue name: String) async throws {
        try await Connection.withConnection(configuration) { connection in
            let channel = try await connection.openChannel()
            try await channel.selectConfirms()
            try await channel.setQos(prefetchCount: 100)
            let queue = try await channel.declareQueue(name)

            // To the queue that the key names. Returns when the broker
            // has the message, on disk.
            let greeting = try Message("hello, world", deliveryMode: .persistent)
            try await channel.defaultExchange.publishConfirmed(greeting, routingKey: name)

            for try await message in try await queue.consume() {
                print(try message.text())
                try message.ack()
                break
            }
        }
    }

    @Test("the overview's example publishes a message, and takes it off the queue")
    func overview() async throws {
        let name = TestBroker.uniqueName("greetings")
        try await greet(TestBroker.configuration, queue: name)
        try await TestBroker.withChannel { _, channel in
            // What was not acknowledged would be back: its connection is closed.
            let queue = try await channel.declareQueue(name)
            #expect(queue.messageCount == 0)
            try await queue.delete(ifUnused: false, ifEmpty: false)
        }
    }

    /// Has the broker close the connection of this name, and no other, with 320. One that logs in has no properties yet.
    private static func closing(_ name: String) -> String {
        """
        [rabbit_networking:close_connection(proplists:get_value(pid, C), "for a test") \
        || C <- rabbit_networking:connection_info_all([pid, client_properties]), \
        P <- [proplists:get_value(client_properties, C)], is_list(P), \
        lists:member({<<"connection_name">>, longstr, <<"\(name)">>}, P)].
        """
    }

    @Test("every Swift example of these two stands in this file, line for line")
    func everyExampleIsHere() throws {
        let here = URL(filePath: #filePath)
        let root = here.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let documentation = "Sources/RabbitMQ/RabbitMQ.docc"
        let pages = try ["\(documentation)/RabbitMQ.md", "\(documentation)/Recovery.md"].map {
            try String(contentsOf: root.appending(path: $0), encoding: .utf8)
        }
        let source = try String(contentsOf: here, encoding: .utf8)
        let lines = Set(source.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) })
        let examples = pages.joined().components(separatedBy: "```swift\n").dropFirst()
            .map { $0.components(separatedBy: "```")[0] }
        #expect(examples.count == 4)
        for line in examples.joined().split(separator: "\n") {
            let line = line.trimmingCharacters(in: .whitespaces)
            let isCompiled = lines.contains(line)
            #expect(isCompiled, "a line of the documentation is not compiled: \(line)")
        }
    }
}
