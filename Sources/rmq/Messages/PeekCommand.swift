#if Tool
internal import ArgumentParser
internal import RabbitMQ

/// Looks into a queue.
struct PeekCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        name: "peek",
        "Shows the first messages of a queue, and leaves them there.",
        """
        What was looked at goes back to its place, all at once at the end; the broker does the same if this is killed. \
        Until then no other consumer gets it, and afterwards it counts as redelivered. A quorum queue may put it \
        behind the others, and before RabbitMQ 4.3 counts each look as a delivery, towards its delivery limit. The exit \
        status is 3 if there was none.
        """,
        examples: "rmq peek orders.dead",
        "rmq peek orders.dead --count 100 --reason rejected --json",
        "rmq peek orders --header tenant=acme --format '%i %k %s\\n'"
    )

    @Argument(help: "The queue.")
    var queue: String

    @Option(name: .shortAndLong, help: "How many messages to show, of those that match.")
    var count = 10

    @OptionGroup(title: "Which messages") var filter: MessageFilter
    @OptionGroup(title: "Output") var output: MessageOutput
    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    func validate() throws {
        guard count > 0 else { throw ValidationError("--count is \(count); it must be at least 1.") }
    }

    func run() async throws {
        let configuration = try connection.configuration(name: "rmq peek")
        let scan = QueueScan(queue: queue, filter: filter, limit: count)
        var writer = try output.writer(details: true)
        try await Interruption.stopping { stop in
            let found = try await Connection.lend(configuration) { connection in
                let found = try await scan.run(on: connection, stop: stop) { messages, _ in
                    for message in messages { try writer.write(message) }
                    return messages
                }
                if found.lookedAt > 0 { Self.warn(connection, found) }
                return found
            }
            if let code = stop.exitCode { throw code }
            guard found.matched > 0 else {
                Terminal.complain(found.ready == 0 ? "\(queue) is empty." : "None of \(found.lookedAt) matches.")
                throw ExitCode.nothing
            }
        }
    }

    /// Says where a broker counts what was looked at.
    private static func warn(_ connection: Connection, _ found: QueueScan.Count) {
        let version = connection.serverProperties["version"]?.stringValue ?? ""
        let parts = version.split(separator: ".").prefix(2).compactMap { Int($0) }
        guard parts.count == 2, (parts[0], parts[1]) < (4, 3) else { return }
        Terminal.complain(
            "\(found.lookedAt) of \(found.ready) looked at and put back; if it is a quorum queue, RabbitMQ \(version) counts "
                + "that as a delivery of each."
        )
    }
}
#endif
