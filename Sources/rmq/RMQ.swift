#if Tool
internal import ArgumentParser

@main
struct RMQ: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rmq",
        abstract: "Uses a RabbitMQ broker.",
        discussion: """
            Where the broker is: --uri, or the variable RABBITMQ_URI, or a section of ~/.config/rmq/profiles (--profile), \
            which holds lines such as 'uri = amqps://me:secret@rabbit.internal/orders' below '[default]' and must be \
            readable by its owner only. What AMQP can't ask is asked of the management API, if --management, the profile \
            ('management = https://rabbit.internal:15671') or the variable RABBITMQ_MANAGEMENT_URI says where that is.

            Exit status: 0 done; 1 failed, or not all of it was done; 2 a topology lacks something; 3 there was no \
            message; 64 wrong arguments; 130 interrupted (Ctrl-C, after which what was begun is finished; a second one \
            ends it at once), 143 by SIGTERM, 129 by SIGHUP; 141 whoever read the output has ended.
            """,
        version: "0.9.0",
        groupedSubcommands: [
            CommandGroup(
                name: "Messages",
                subcommands: [
                    PublishCommand.self, ConsumeCommand.self, GetCommand.self, PeekCommand.self, TailCommand.self,
                    RequestCommand.self, ServeCommand.self,
                ]
            ),
            CommandGroup(name: "From one queue to another", subcommands: [Replay.self, Move.self, Copy.self]),
            CommandGroup(
                name: "Queues, exchanges and bindings",
                subcommands: [
                    QueueCommand.self, ExchangeCommand.self, BindingCommand.self, TopologyCommand.self,
                    CountCommand.self,
                ]
            ),
            CommandGroup(
                name: "The broker",
                subcommands: [
                    DoctorCommand.self, TopCommand.self, ConnectionCommand.self, Perf.self, Demo.self,
                ]
            ),
        ]
    )

    static func main() async {
        Terminal.prepare()
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            Complaint.end(error)
        }
    }
}
#endif
