#if Tool
internal import ArgumentParser
internal import RabbitMQ

/// Takes messages.
struct GetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        name: "get",
        "Takes messages out of a queue, and writes them.",
        """
        A message is acknowledged when it was written. What does not match stays where it is. The exit status is 3 if \
        there was none.
        """,
        examples: "rmq get orders",
        "rmq get orders --count 100 --json > orders.ndjson",
        "rmq get orders --header broken --reject"
    )

    @Argument(help: "The queue.")
    var queue: String

    @Option(name: .shortAndLong, help: "How many messages to take, of those that match.")
    var count = 1

    @Flag(help: "Reject them, so that they go where the queue's dead letters go, if it has a place for them.")
    var reject = false

    @OptionGroup(title: "Which messages") var filter: MessageFilter
    @OptionGroup(title: "Output") var output: MessageOutput
    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    func validate() throws {
        guard count > 0 else { throw ValidationError("--count is \(count); it must be at least 1.") }
    }

    func run() async throws {
        let configuration = try connection.configuration(name: "rmq get")
        let scan = QueueScan(queue: queue, filter: filter, limit: count)
        var writer = try output.writer()
        try await Interruption.stopping { stop in
            let found = try await Connection.lend(configuration) { connection in
                try await scan.run(on: connection, stop: stop) { messages, _ in
                    for message in messages {
                        try writer.write(message)
                        if reject { try message.reject(requeue: false) } else { try message.ack() }
                    }
                    return []
                }
            }
            if let code = stop.exitCode { throw code }
            guard found.matched > 0 else {
                Terminal.complain(found.ready == 0 ? "\(queue) is empty." : "None of \(found.lookedAt) matches.")
                throw ExitCode.nothing
            }
        }
    }
}
#endif
