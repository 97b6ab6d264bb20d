#if Tool
internal import ArgumentParser

/// Connections that the broker has.
struct ConnectionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "connection",
        abstract: "Lists connections.",
        subcommands: [List.self]
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            "Lists the connections to a virtual host: state, channels, TLS, user, addresses, the client's own name.",
            "AMQP has no way to ask which there are: the management API is asked.",
            examples: "rmq connection list --management http://localhost:15672",
            "rmq connection list --profile production --json",
            "rmq connection list | grep blocked"
        )

        @Flag(help: "A JSON object a line.")
        var json = false

        @OptionGroup var management: ManagementOptions
        @OptionGroup(title: "Connection") var connection: ConnectionOptions

        func run() async throws { try await management.list(ListedConnection.self, of: connection, json: json) }
    }
}
#endif
