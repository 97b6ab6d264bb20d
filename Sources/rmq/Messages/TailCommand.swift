#if Tool
internal import ArgumentParser
internal import Logging
internal import RabbitMQ

/// Shows what an exchange routes.
struct TailCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        name: "tail",
        "Shows what is published to an exchange from now on, by a queue of its own.",
        """
        The queue goes with the connection. It holds 10,000 messages at the most: where this is too slow, the oldest \
        are dropped, and nobody else has to wait. With the firehose (rabbitmqctl trace_on), the exchange \
        amq.rabbitmq.trace has everything. The exit status is 3 if --idle was given and nothing came.
        """,
        examples: "rmq tail orders",
        "rmq tail events --key 'user.#' --key 'order.*' --json",
        "rmq tail amq.rabbitmq.trace --format '%k %h{exchange_name} %b\\n'"
    )

    @Argument(help: "The exchange.")
    var exchange: String

    @Option(
        name: [.customShort("k"), .customLong("key")],
        help: "A routing key to bind by; repeatable; all of a topic exchange by default."
    )
    var keys: [String] = []

    @Option(
        help: ArgumentHelp(
            "With a headers exchange, a header that messages must have; repeatable.",
            valueName: "name=value"
        )
    )
    var match: [String] = []

    @Option(name: .shortAndLong, help: "How many messages to show.")
    var count: Int?

    @Option(help: "End when nothing has come for this long.")
    var idle: Span?

    @OptionGroup(title: "Output") var output: MessageOutput
    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    func validate() throws {
        guard !exchange.isEmpty else {
            throw ValidationError("The default exchange can't be bound to: rmq peek shows what is in a queue.")
        }
        if let count, count < 1 { throw ValidationError("--count is \(count); it must be at least 1.") }
        _ = try Assignments.table(match, option: "--match")
    }

    func run() async throws {
        var configuration = try connection.configuration(name: "rmq tail")
        configuration.recovery = RecoveryPolicy()
        configuration.logger.logLevel = .warning
        let ready = configuration
        try await Interruption.stopping { stop in
            let taken = try await Connection.lend(ready) { try await tail(on: $0, stop) }
            if let code = stop.exitCode { throw code }
            if taken == 0 { throw ExitCode.nothing }
        }
    }

    private func tail(on connection: Connection, _ stop: Stop) async throws -> Int {
        let channel = try await connection.openChannel()
        let queue = try await channel.declareQueue(
            durable: false,
            exclusive: true,
            autoDelete: true,
            arguments: QueueArguments(type: .classic, maxLength: 10_000, overflow: .dropHead)
        )
        let source = try channel.exchange(exchange)
        let headers = try Assignments.table(match, option: "--match")
        let arguments = headers.isEmpty ? BindingArguments() : BindingArguments.headers(.all, headers)
        for key in keys.isEmpty ? ["#"] : keys {
            try await queue.bind(to: source, routingKey: key, arguments: arguments)
        }
        Terminal.complain("listening to \(exchange)")
        var writer = try output.writer(details: true)
        let loop = DeliveryLoop(count: count, idle: idle?.duration, stop: stop)
        return try await loop.run(try await queue.consume(.noAck)) { try writer.write($0) }
    }
}
#endif
