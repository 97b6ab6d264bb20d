#if Tool
internal import ArgumentParser
internal import RabbitMQ

/// Queues.
struct QueueCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue",
        abstract: "Declares, deletes, purges and lists queues.",
        subcommands: [Declare.self, Delete.self, Purge.self, List.self]
    )

    struct Declare: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            "Makes a queue, unless it exists as it is described.",
            examples: "rmq queue declare orders --type quorum --dead-letter-exchange failed",
            "rmq queue declare recent --max-length 1000 --overflow reject-publish",
            "rmq queue declare jobs -a x-max-priority:=5"
        )

        @Argument(help: "Its name.")
        var name: String

        @Option(help: "classic, quorum or stream; the virtual host's default by default.")
        var type: String?

        @Flag(inversion: .prefixedNo, help: "Survive a restart of the broker.")
        var durable = true

        @Flag(help: "Delete it when its last consumer is gone.")
        var autoDelete = false

        @Option(help: "The most messages that may be ready.")
        var maxLength: Int?

        @Option(help: "What happens to more: drop-head, reject-publish or reject-publish-dlx.")
        var overflow: String?

        @Option(help: "How long a message may wait: 500ms, 30s, 5m.")
        var messageTtl: Span?

        @Option(help: "How long the queue may be unused before it is deleted.")
        var expires: Span?

        @Option(help: "Where rejected, expired and dropped messages go; empty for the default exchange.")
        var deadLetterExchange: String?

        @Option(help: "By which routing key; their own by default.")
        var deadLetterRoutingKey: String?

        @Option(help: "How often a message may be delivered again.")
        var deliveryLimit: Int?

        @OptionGroup var others: ArgumentOptions
        @OptionGroup var options: EntityOptions

        func validate() throws {
            // The broker would make one up, and keep a queue that nobody is told of.
            guard !name.isEmpty else { throw ValidationError("The queue's name is empty.") }
            _ = try arguments()
        }

        private func arguments() throws -> QueueArguments {
            var arguments = QueueArguments(
                type: type.map { QueueType(rawValue: $0) },
                maxLength: maxLength,
                overflow: overflow.map { QueueArguments.Overflow(rawValue: $0) },
                messageTTL: messageTtl?.duration,
                expires: expires?.duration,
                deadLetterExchange: deadLetterExchange,
                deadLetterRoutingKey: deadLetterRoutingKey,
                deliveryLimit: deliveryLimit
            )
            arguments.custom = try others.table(beside: arguments.table)
            return arguments
        }

        func run() async throws {
            let arguments = try arguments()
            let (name, durable, autoDelete, options) = (name, durable, autoDelete, options)
            try await options.run { channel in
                let queue = try await channel.declareQueue(
                    name,
                    durable: durable,
                    autoDelete: autoDelete,
                    arguments: arguments
                )
                try options.tell(
                    Deed(
                        done: .declared,
                        queue: queue.name,
                        messages: queue.messageCount,
                        consumers: queue.consumerCount
                    )
                )
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            "Deletes queues, with what is in them.",
            "One that does not exist is no error.",
            examples: "rmq queue delete orders.test",
            "rmq queue delete orders.old --if-empty --if-unused",
            "rmq queue delete a b c"
        )

        @Argument(help: "Their names.")
        var names: [String]

        @Flag(help: "Only if it has no consumer.")
        var ifUnused = false

        @Flag(help: "Only if no message is ready in it.")
        var ifEmpty = false

        @OptionGroup var options: EntityOptions

        func run() async throws {
            let (names, ifUnused, ifEmpty, options) = (names, ifUnused, ifEmpty, options)
            try await options.run { channel in
                for name in names {
                    let count = try await channel.queue(name).delete(ifUnused: ifUnused, ifEmpty: ifEmpty)
                    try options.tell(Deed(done: .deleted, queue: name, messages: count))
                    if !options.json { Terminal.complain("\(name) is deleted, with \(count) messages.") }
                }
            }
        }
    }

    struct Purge: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            "Drops all messages that are ready in a queue, and says how many.",
            examples: "rmq queue purge orders.test",
            "rmq queue purge a b --json",
            "rmq queue purge orders --vhost staging"
        )

        @Argument(help: "The names.")
        var names: [String]

        @OptionGroup var options: EntityOptions

        func run() async throws {
            let (names, options) = (names, options)
            try await options.run { channel in
                for name in names {
                    let count = try await channel.queue(name).purge()
                    try options.tell(Deed(done: .purged, queue: name, messages: count))
                    if !options.json { try Terminal.say("\(count)") }
                }
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            "Looks queues up by their names, or lists all of a virtual host.",
            """
            By names, which takes AMQP only: messages that are ready, consumers. AMQP has no way to ask which queues \
            there are; the management API has: messages that are ready, unacknowledged ones, consumers, type, state. \
            The standard error says who told. The exit status is 1 if a queue that was named does not exist.
            """,
            examples: "rmq queue list orders orders.dead",
            "rmq queue list --management http://localhost:15672",
            "rmq queue list --profile production --json"
        )

        struct Row: Lookup {
            let queue: String
            var messages: Int?
            var consumers: Int?
            var problem: String?

            var isThere: Bool { problem == nil }

            var line: String {
                let numbers = "\(messages.map { "\($0)" } ?? "-")\t\(consumers.map { "\($0)" } ?? "-")"
                let why = problem.map { "\t\($0)" } ?? ""
                return "\(numbers)\t\(queue)\(why)"
            }

            /// On a channel of its own: the broker closes it for what is not there.
            static func look(for name: String, on connection: Connection) async throws -> Row {
                let channel = try await connection.openChannel()
                do {
                    let queue = try await channel.declareQueue(name, passive: true)
                    await channel.close()
                    return Row(queue: name, messages: queue.messageCount, consumers: queue.consumerCount)
                } catch AMQPError.Code.notFound {
                    return Row(queue: name, problem: "does not exist")
                } catch AMQPError.Code.resourceLocked {
                    return Row(queue: name, problem: "exclusive to another connection")
                }
            }
        }

        @OptionGroup var lookup: LookupOptions

        func run() async throws { try await lookup.run(Row.self, orAll: ListedQueue.self) }
    }
}
#endif
