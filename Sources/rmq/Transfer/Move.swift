#if Tool
internal import ArgumentParser
internal import RabbitMQ

/// Where move and copy send messages.
struct TargetOptions: ParsableArguments {
    @Argument(help: "The queue that gets them.")
    var to: String?

    @Option(help: "The exchange that gets them, in place of a queue.")
    var exchange: String?

    @Option(help: "The routing key there; each message's own by default.")
    var routingKey: String?

    @Option(help: "Another broker, where they go.")
    var toUri: String?

    @Option(help: "Another broker, where they go, as a section of the profile file.")
    var toProfile: String?

    @Option(help: "Another virtual host, where they go.")
    var toVhost: String?

    @Option(help: "A file with the certificate authorities to trust, if that broker has others.")
    var toCa: String?

    func validate() throws {
        guard (to == nil) != (exchange == nil) else {
            throw ValidationError("Messages go to a queue, or to an --exchange: give one of them.")
        }
        guard routingKey == nil || exchange != nil else {
            throw ValidationError("--routing-key is for an --exchange.")
        }
        guard toCa == nil || toUri != nil || toProfile != nil || toVhost != nil else {
            throw ValidationError("--to-ca is for another broker: give --to-uri or --to-profile.")
        }
    }

    /// The other broker; nil if it is the same connection.
    func configuration(beside source: ConnectionOptions) throws -> ConnectionConfiguration? {
        guard toUri != nil || toProfile != nil || toVhost != nil else { return nil }
        let isElsewhere = toUri != nil || toProfile != nil
        return try ConnectionOptions.configuration(
            uri: isElsewhere ? toUri : source.uri,
            profile: isElsewhere ? toProfile : source.profile,
            vhost: isElsewhere ? toVhost : toVhost ?? source.vhost,
            ca: toCa ?? (isElsewhere ? nil : source.ca),
            prefix: isElsewhere ? "--to-" : "--",
            name: "rmq"
        )
    }

    /// Sends what is in a queue there.
    func run(_ kind: Transfer.Kind, from queue: String, _ options: TransferOptions) async throws {
        let other = try configuration(beside: options.connection)
        guard other != nil || queue != to else {
            throw ValidationError("Both are the queue \(queue).")
        }
        let (to, exchange, routingKey) = (to, exchange, routingKey)
        try await options.run(kind, from: queue, to: other) { connection in
            // Before a message is touched.
            if let to { _ = try await connection.openChannel().declareQueue(to, passive: true) }
            if let exchange, !exchange.isEmpty {
                _ = try await connection.openChannel().declareExchange(exchange, passive: true)
            }
        } route: { message in
            if let to { return .queue(to) }
            return Route(exchange: exchange ?? "", routingKey: routingKey ?? message.routingKey)
        }
    }
}

/// Moves messages.
struct Move: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        "Moves messages from a queue to another, also of another virtual host or broker.",
        """
        What is ready at the beginning is looked at once. A message leaves its queue when the broker has confirmed that it \
        is in the other: whenever this is killed, nothing is lost, and what was under way may be in both; run again, it \
        goes on. What does not match goes back to its place. A quorum queue may put it behind the others, and before \
        RabbitMQ 4.3 counts that towards its delivery limit. Messages are taken by a consumer, except from a queue that \
        would be deleted with it.
        """,
        examples: "rmq move orders orders.old --older-than 7d",
        "rmq move orders orders --to-uri amqps://me@other.example --rate 500",
        "rmq move parked --exchange orders --header tenant=acme --dry-run"
    )

    @Argument(help: "The queue to take from.")
    var from: String

    @OptionGroup var target: TargetOptions
    @OptionGroup var options: TransferOptions

    func run() async throws { try await target.run(.move, from: from, options) }
}

/// Copies messages.
struct Copy: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        "Copies messages from a queue to another, also of another virtual host or broker.",
        """
        What is ready at the beginning is copied, and goes back to its place when all of it is: until \
        then no other consumer gets it. A quorum queue may put it behind the others, \
        and before RabbitMQ 4.3 counts that towards its delivery limit.
        """,
        examples: "rmq copy orders orders.test --limit 100",
        "rmq copy orders orders --to-vhost staging",
        "rmq copy orders --exchange audit --routing-key copy --key order.new"
    )

    @Argument(help: "The queue to copy from.")
    var from: String

    @OptionGroup var target: TargetOptions
    @OptionGroup var options: TransferOptions

    func run() async throws { try await target.run(.copy, from: from, options) }
}
#endif
