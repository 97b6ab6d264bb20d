#if Tool
internal import ArgumentParser
internal import RabbitMQ

/// Bindings.
struct BindingCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "binding",
        abstract: "Binds queues and exchanges to exchanges, unbinds them, and lists bindings.",
        subcommands: [Declare.self, Delete.self, List.self]
    )

    struct Ends: ParsableArguments {
        @Argument(help: "The exchange that messages come from.")
        var source: String

        @Option(help: "The queue that gets them.")
        var queue: String?

        @Option(help: "The exchange that gets them.")
        var exchange: String?

        @Option(name: [.customShort("k"), .long], help: "The routing key.")
        var routingKey = ""

        @OptionGroup var arguments: ArgumentOptions

        func validate() throws {
            guard (queue == nil) != (exchange == nil) else {
                throw ValidationError("What is bound: a --queue or an --exchange?")
            }
        }

        func deed(_ done: Deed.Kind) -> Deed {
            Deed(done: done, queue: queue, exchange: exchange, source: source, routingKey: routingKey)
        }

        func bind(on channel: Channel) async throws {
            let table = BindingArguments(try arguments.table())
            let source = try channel.exchange(source)
            if let queue {
                try await channel.queue(queue).bind(to: source, routingKey: routingKey, arguments: table)
            } else if let exchange {
                try await channel.exchange(exchange).bind(to: source, routingKey: routingKey, arguments: table)
            }
        }

        func unbind(on channel: Channel) async throws {
            let table = BindingArguments(try arguments.table())
            if let queue {
                try await channel.queue(queue).unbind(from: source, routingKey: routingKey, arguments: table)
            } else if let exchange {
                try await channel.exchange(exchange).unbind(from: source, routingKey: routingKey, arguments: table)
            }
        }
    }

    struct Declare: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            "Binds a queue or an exchange to an exchange.",
            examples: "rmq binding declare orders --queue orders.eu --routing-key 'eu.#'",
            "rmq binding declare amq.headers --queue mail -a x-match=any -a kind=mail",
            "rmq binding declare orders --exchange audit --routing-key '#'"
        )

        @OptionGroup var ends: Ends
        @OptionGroup var options: EntityOptions

        func run() async throws {
            let (ends, options) = (ends, options)
            try await options.run { channel in
                try await ends.bind(on: channel)
                try options.tell(ends.deed(.bound))
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            "Removes a binding, which its ends, routing key and arguments name.",
            "One that does not exist is no error.",
            examples: "rmq binding delete orders --queue orders.eu --routing-key 'eu.#'",
            "rmq binding delete amq.headers --queue mail -a x-match=any -a kind=mail",
            "rmq binding delete orders --exchange audit --routing-key '#'"
        )

        @OptionGroup var ends: Ends
        @OptionGroup var options: EntityOptions

        func run() async throws {
            let (ends, options) = (ends, options)
            try await options.run { channel in
                try await ends.unbind(on: channel)
                try options.tell(ends.deed(.unbound))
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            "Lists the bindings of a virtual host: source, what kind is bound, its name, routing key, arguments.",
            "AMQP has no way to ask which there are: the management API is asked.",
            examples: "rmq binding list --management http://localhost:15672",
            "rmq binding list --profile production --json",
            "rmq binding list --vhost staging | grep orders"
        )

        @Flag(help: "A JSON object a line.")
        var json = false

        @OptionGroup var management: ManagementOptions
        @OptionGroup(title: "Connection") var connection: ConnectionOptions

        func run() async throws { try await management.list(ListedBinding.self, of: connection, json: json) }
    }
}
#endif
