#if Tool
internal import ArgumentParser
internal import RabbitMQ

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
