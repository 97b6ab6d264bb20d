#if Tool
internal import ArgumentParser
internal import Logging
internal import RabbitMQ

/// What the commands for queues, exchanges and bindings have in common.
struct EntityOptions: ParsableArguments {
    @Flag(help: "A JSON object a line.")
    var json = false

    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    /// Says what was done, if JSON is wanted.
    func tell(_ deed: Deed) throws {
        if json { try Terminal.say(Terminal.json(deed)) }
    }

    /// Runs `body` on a channel. What the broker's version makes of arguments is told.
    func run(_ body: @escaping @Sendable (Channel) async throws -> Void) async throws {
        var configuration = try connection.configuration()
        configuration.logger.logLevel = .warning
        configuration.logger = Logger(label: "rmq") { Quiet(label: $0) }
        let ready = configuration
        try await Interruption.cancelling {
            try await Connection.lend(ready) { connection in
                let channel = try await connection.openChannel()
                try await body(channel)
                await channel.close()
            }
        }
    }

    /// Warnings as lines of the tool's own; what ended the connection is an error already.
    private struct Quiet: LogHandler {
        let label: String
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.warning

        init(label: String) { self.label = label }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            guard event.message.description != "connection ended" else { return }
            Terminal.complain("warning: \(event.message.description)")
        }
    }
}

/// Arguments of a declaration as one types them.
struct ArgumentOptions: ParsableArguments {
    @Option(
        name: [.customShort("a"), .customLong("argument")],
        help: ArgumentHelp(
            "An argument; repeatable. The value is text, or with := in place of = JSON: x-max-priority:=5.",
            valueName: "name=value"
        )
    )
    var arguments: [String] = []

    func validate() throws { _ = try table() }

    func table() throws -> FieldTable { try Assignments.table(arguments, option: "--argument") }

    /// The arguments, refused where one is among those that a command's own options have said.
    func table(beside others: FieldTable) throws -> FieldTable {
        let table = try table()
        if let name = table.keys.filter({ others[$0] != nil }).min() {
            throw ValidationError("--argument \(name): an option of its own says that already; give one of them.")
        }
        return table
    }
}
#endif
