internal import Foundation
internal import RabbitMQ
internal import TestSupport

/// A queue of one kind, who publishes to it, and who consumes from it.
struct SoakLane: Sendable {
    let name: String
    let type: QueueType?
    let rate: Int
    let tally: SoakTally
    let queueName: String

    init(name: String, type: QueueType?, rate: Int, tally: SoakTally) {
        self.name = name
        self.type = type
        self.rate = rate
        self.tally = tally
        queueName = TestBroker.uniqueName("soak.\(name)")
    }

    func declare(on connection: Connection) async throws {
        try await connection.withChannel { channel in
            _ = try await channel.declareQueue(queueName, arguments: QueueArguments(type: type))
        }
    }

    /// Publishes a few messages at a time, and notes each outcome.
    func publish(on connection: Connection, until end: ContinuousClock.Instant, _ journal: SoakJournal) async {
        let batch = max(1, rate / 20)
        await journal.watch("\(name): publishing", .seconds(365 * 86_400)) {
            let channel = try await connection.openChannel()
            try await channel.selectConfirms(maxUnconfirmed: 5 * batch)
            await withDiscardingTaskGroup { group in
                while ContinuousClock.now < end, !Task.isCancelled {
                    let next = ContinuousClock.now + .milliseconds(1000 * batch / rate)
                    for _ in 0..<batch {
                        guard let number = tally.send() else { return }
                        let size = number % 97 == 0 ? 20_000 : number % 300
                        let text = "\(number):" + String(repeating: "x", count: size)
                        do {
                            let message = try Message(text, deliveryMode: .persistent)
                            let receipt = try await channel.defaultExchange.publish(message, routingKey: queueName)
                            group.addTask { await settle(number, receipt, journal) }
                        } catch {
                            tally.fail()
                            journal.count(
                                "error \(name): publish \((error as? AMQPError)?.code.description ?? "\(error)")"
                            )
                        }
                    }
                    try? await Task.sleep(until: next, clock: .continuous)
                }
            }
        }
    }

    private func settle(_ number: Int, _ receipt: PublishReceipt, _ journal: SoakJournal) async {
        do {
            try await within(.seconds(90), "a confirm") { try await receipt.confirmed(timeout: .seconds(60)) }
            tally.confirm(number)
        } catch let error as AMQPError {
            tally.fail()
            journal.count("error \(name): confirm \(error.code)")
        } catch {
            tally.fail()
            journal.count("hang: \(name): confirm \(error)")
        }
    }

    /// Consumes until it is cancelled; begins again where it ended.
    func consume(on connection: Connection, _ journal: SoakJournal) async {
        while !Task.isCancelled {
            do {
                let channel = try await connection.openChannel()
                try await channel.setQos(prefetchCount: 200)
                let queue = try channel.queue(queueName)
                var options = ConsumerOptions()
                if type == .stream { options.streamOffset = .first }
                for try await message in try await queue.consume(options) {
                    if let number = try message.text().split(separator: ":").first.flatMap({ Int($0) }) {
                        tally.deliver(number)
                    }
                    try? message.ack()
                }
            } catch {
                if connection.isOpen {
                    journal.count("error \(name): consumer \((error as? AMQPError)?.code.description ?? "\(error)")")
                }
                if !connection.isOpen { return }
            }
            try? await Task.sleep(for: .milliseconds(100))
        }
    }
}

/// Calls of an RPC server, which answers what it is asked.
struct SoakCalls: Sendable {
    struct Body: Codable, Sendable, Equatable { var number: Int }

    let configuration: ConnectionConfiguration
    let journal: SoakJournal

    func run(until end: ContinuousClock.Instant) async {
        await journal.watch("calls", .seconds(365 * 86_400)) {
            try await Connection.withConnection(configuration) { connection in
                let channel = try await connection.openChannel()
                let queue = try await channel.declareQueue(exclusive: true)
                let server = try await queue.serve { (body: Body) in body }
                let client = try await connection.openRPCClient()
                while ContinuousClock.now < end, !Task.isCancelled {
                    let body = Body(number: Int.random(in: 0..<1000))
                    await journal.watch("a call", .seconds(90)) {
                        let answer: Body = try await client.call(body, routingKey: queue.name, timeout: .seconds(60))
                        journal.count(answer == body ? "calls" : "hang: a wrong answer")
                    }
                    try? await Task.sleep(for: .milliseconds(50))
                }
                await client.close()
                await server.stop()
            }
        }
    }
}
