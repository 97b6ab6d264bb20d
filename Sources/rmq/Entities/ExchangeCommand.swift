#if Tool
internal import ArgumentParser
internal import RabbitMQ

/// Exchanges.
struct ExchangeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exchange",
        abstract: "Declares, deletes and lists exchanges.",
        subcommands: [Declare.self, Delete.self, List.self]
    )

    struct Declare: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            "Makes an exchange, unless it exists as it is described.",
            examples: "rmq exchange declare orders --type topic",
            "rmq exchange declare all --type fanout --internal",
            "rmq exchange declare orders --type topic --alternate-exchange lost"
        )

        @Argument(help: "Its name.")
        var name: String

        @Option(help: "direct, fanout, topic, headers, or what a plugin brings.")
        var type = "direct"

        @Flag(inversion: .prefixedNo, help: "Survive a restart of the broker.")
        var durable = true

        @Flag(help: "Delete it when the last queue is unbound from it.")
        var autoDelete = false

        @Flag(help: "Let it only be bound to other exchanges, not be published to.")
        var `internal` = false

        @Option(help: "Where messages go that it can't route.")
        var alternateExchange: String?

        @OptionGroup var others: ArgumentOptions
        @OptionGroup var options: EntityOptions

        func validate() throws { _ = try arguments() }

        private func arguments() throws -> ExchangeArguments {
            var table: FieldTable = [:]
            if let alternateExchange { table["alternate-exchange"] = .string(alternateExchange) }
            return ExchangeArguments(table.merging(try others.table(beside: table)) { $1 })
        }

        func run() async throws {
            let arguments = try arguments()
            let (name, type, durable, autoDelete, isInternal) = (name, type, durable, autoDelete, `internal`)
            let options = options
            try await options.run { channel in
                try await channel.declareExchange(
                    name,
                    type: ExchangeType(rawValue: type),
                    durable: durable,
                    autoDelete: autoDelete,
                    internal: isInternal,
                    arguments: arguments
                )
                try options.tell(Deed(done: .declared, exchange: name, type: type))
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            "Deletes exchanges, with their bindings.",
            "One that does not exist is no error.",
            examples: "rmq exchange delete orders.test",
            "rmq exchange delete orders --if-unused",
            "rmq exchange delete a b c"
        )

        @Argument(help: "Their names.")
        var names: [String]

        @Flag(help: "Only if nothing is bound to it.")
        var ifUnused = false

        @OptionGroup var options: EntityOptions

        func run() async throws {
            let (names, ifUnused, options) = (names, ifUnused, options)
            try await options.run { channel in
                for name in names {
                    try await channel.exchange(name).delete(ifUnused: ifUnused)
                    try options.tell(Deed(done: .deleted, exchange: name))
                }
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            "Looks exchanges up by their names, or lists all of a virtual host.",
            """
            By names, which takes AMQP only: whether they exist. AMQP has no way to ask which there are; the management \
            API has: type, flags, name. The standard error says who told. The exit status is 1 if one that was named \
            does not exist.
            """,
            examples: "rmq exchange list orders",
            "rmq exchange list --management http://localhost:15672 --json",
            "rmq exchange list orders --vhost staging"
        )

        struct Row: Lookup {
            let exchange: String
            let exists: Bool

            var isThere: Bool { exists }
            var line: String { "\(exists ? "exists" : "missing")\t\(exchange)" }

            static func look(for name: String, on connection: Connection) async throws -> Row {
                let channel = try await connection.openChannel()
                do {
                    _ = try await channel.declareExchange(name, passive: true)
                    await channel.close()
                    return Row(exchange: name, exists: true)
                } catch AMQPError.Code.notFound {
                    return Row(exchange: name, exists: false)
                }
            }
        }

        @OptionGroup var lookup: LookupOptions

        func run() async throws { try await lookup.run(Row.self, orAll: ListedExchange.self) }
    }
}
#endif
