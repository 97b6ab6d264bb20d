#if Tool
internal import ArgumentParser
internal import RabbitMQ

/// Where messages go, and where they come from.
struct PerfPlace: ParsableArguments {
    @Option(help: "The name of the queue that is made, which must not exist; one that is made up by default.")
    var queue: String?

    @Option(help: "The type of that queue.")
    var queueType = QueueKind.classic

    @Flag(help: "Use the queue that --queue names, which exists, and leave it there.")
    var useExisting = false

    @Flag(help: "With --use-existing: consuming may fill that queue up and take its messages, whoever published them.")
    var eatMessages = false

    @Flag(help: "Publishing may leave its messages in a queue that exists, or wherever an --exchange routes them.")
    var leaveMessages = false

    @Option(help: "The exchange to publish to; the default exchange by default.")
    var exchange = ""

    @Option(help: "The routing key to publish with; the queue's name by default.")
    var routingKey: String?

    func validate() throws {
        for (name, value) in [("queue", queue), ("exchange", exchange), ("routing-key", routingKey)] {
            guard let count = value?.utf8.count, count > 255 else { continue }
            throw ValidationError("--\(name) has \(count) bytes; 255 are the most.")
        }
        if let queue {
            guard !queue.isEmpty else { throw ValidationError("--queue is empty.") }
            guard useExisting || !queue.hasPrefix("amq.") else {
                throw ValidationError("--queue begins with amq., which is kept for brokers.")
            }
        }
    }
}

/// What kind of queue is measured.
enum QueueKind: String, CaseIterable, ExpressibleByArgument {
    case classic
    case quorum
    case stream

    /// How a queue of that type is declared that is not exclusive. If this process is killed, the broker deletes it after
    /// an hour; no stream can expire, but it becomes small.
    var arguments: QueueArguments {
        switch self {
        case .classic: QueueArguments(type: .classic, expires: .seconds(3_600))
        case .quorum: QueueArguments(type: .quorum, expires: .seconds(3_600))
        case .stream: QueueArguments(type: .stream, maxAge: .seconds(3_600))
        }
    }

    /// What becomes of a queue that could not be deleted.
    var fate: String {
        self == .stream
            ? "where it stays until 'rmq queue delete' removes it" : "which deletes it when it was unused for an hour"
    }
}

/// One of several hosts: `rabbit1`, `rabbit1:5673`, `[::1]:5673`.
struct PerfHost: ExpressibleByArgument {
    let endpoint: ConnectionConfiguration.Endpoint

    init?(argument: String) {
        // What else a URI may have is said by --uri.
        guard !argument.isEmpty, !argument.contains(where: { "@/?#".contains($0) }),
            let configuration = try? ConnectionConfiguration(uri: "amqp://\(argument)")
        else { return nil }
        endpoint = ConnectionConfiguration.Endpoint(host: configuration.host, port: configuration.endpoints.first?.port)
    }
}
#endif
