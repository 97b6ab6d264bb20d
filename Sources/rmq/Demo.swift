#if Tool
internal import ArgumentParser
internal import Foundation
internal import RabbitMQ

/// The library's main job, end to end.
struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        "Publishes JSON and text messages, consumes and acknowledges them in another task, and counts.",
        examples: "rmq demo",
        "rmq demo --messages 100000 --json",
        "rmq demo --uri amqps://localhost:5671 --ca ca.pem"
    )

    @OptionGroup var connection: ConnectionOptions

    @Option(help: "How many messages to send.")
    var messages = 10_000

    @Flag(help: "End with one JSON object on one line.")
    var json = false

    /// What became of the messages.
    private struct Outcome: Encodable {
        let published: Int
        let consumed: Int
        let missing: Int
        let inOrder: Bool
        let seconds: Double
        let rate: Double
    }

    struct Reading: Codable {
        var sensor: String
        var number: Int
        var celsius: Double
    }

    mutating func validate() throws {
        guard (1...10_000_000).contains(messages) else {
            throw ValidationError("--messages is \(messages); it must be from 1 to 10000000.")
        }
    }

    mutating func run() async throws {
        let (messages, json) = (messages, json)
        let configuration = try connection.configuration(name: "rmq demo")
        try await Connection.withConnection(configuration) { connection in
            let server = connection.serverProperties
            let broker = "\(server["product"]?.stringValue ?? "?") \(server["version"]?.stringValue ?? "?")"
            if !json { try Terminal.say(Terminal.harmless("connected to \(broker)")) }
            try await connection.withChannel { channel in
                try await Self.exchangeMessages(messages, connection, channel, json: json)
            }
        }
        if !json { try Terminal.say("closed") }
    }

    private static func exchangeMessages(
        _ count: Int,
        _ connection: Connection,
        _ channel: Channel,
        json: Bool
    ) async throws {
        let exchange = try await channel.declareExchange(
            "rmq.demo.\(getpid())",
            type: .topic,
            durable: false,
            autoDelete: true
        )
        let queue = try await channel.declareQueue(durable: false, exclusive: true, autoDelete: true)
        try await queue.bind(to: exchange, routingKey: "demo.#")
        if !json {
            try Terminal.say("declared the exchange \(exchange.name) and the queue \(queue.name)")
        }

        let start = ContinuousClock.now
        async let received = Self.consume(count, on: connection, from: queue.name, isShown: !json)
        for number in 0..<count {
            let message =
                number.isMultiple(of: 2)
                ? try Message(
                    encoding: Reading(sensor: "kitchen", number: number, celsius: 21.5),
                    messageID: "\(number)"
                )
                : try Message("text number \(number)", messageID: "\(number)")
            try await exchange.publish(message, routingKey: number.isMultiple(of: 2) ? "demo.json" : "demo.text")
        }
        let numbers = try await received
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let missing = Set(0..<count).subtracting(numbers).count
        let inOrder = zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 }
        let outcome = Outcome(
            published: count,
            consumed: numbers.count,
            missing: missing,
            inOrder: inOrder,
            seconds: seconds,
            rate: Double(count) / seconds
        )
        try show(outcome, json: json)
        guard missing == 0, numbers.count == count, inOrder else { throw ExitCode.failure }
    }

    private static func show(_ outcome: Outcome, json: Bool) throws {
        if json { return try Terminal.say(Terminal.json(outcome)) }
        try Terminal.say(
            "published \(outcome.published), consumed and acknowledged \(outcome.consumed), "
                + "missing \(outcome.missing), in order: \(outcome.inOrder)"
        )
        try Terminal.say("\(Int(outcome.rate)) messages a second in \(String(format: "%.2f", outcome.seconds)) s")
    }

    private static func consume(
        _ count: Int,
        on connection: Connection,
        from name: String,
        isShown: Bool
    ) async throws -> [Int] {
        var numbers: [Int] = []
        try await connection.withChannel { channel in
            try await channel.setQos(prefetchCount: 500)
            let queue = try await channel.declareQueue(
                name,
                durable: false,
                exclusive: true,
                autoDelete: true,
                passive: true
            )
            for try await message in try await queue.consume() {
                if isShown, numbers.count < 4 {
                    try Terminal.say("  \(message.routingKey): \(try message.message.text())")
                }
                numbers.append(message.messageID.flatMap { Int($0) } ?? -1)
                try message.ack()
                if numbers.count == count { break }
            }
        }
        return numbers
    }
}
#endif
