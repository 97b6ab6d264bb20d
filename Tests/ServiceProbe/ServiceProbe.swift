#if ServiceLifecycleSupport
internal import Logging
internal import RabbitMQ
internal import ServiceLifecycle
internal import Synchronization
internal import UnixSignals

/// A service as users write them: publishes with confirms as fast as it can, and handles what it has published, until it gets
/// SIGTERM.
///
/// `ServiceProbe HOST PORT USERNAME PASSWORD QUEUE` prints how many messages were confirmed, of how many the outcome is unknown,
/// how many were acknowledged, and how many milliseconds the shutdown took.
@main
struct ServiceProbe {
    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 6, let port = Int(arguments[2]) else {
            print("usage: ServiceProbe HOST PORT USERNAME PASSWORD QUEUE")
            return
        }
        LoggingSystem.bootstrap { _ in SwiftLogNoOpLogHandler() }
        var configuration = ConnectionConfiguration(
            host: arguments[1],
            port: port,
            credentials: .plain(username: arguments[3], password: arguments[4])
        )
        configuration.shutdownTimeout = .seconds(8)
        let connection = try await Connection.connect(configuration)
        let worker = ConsumerService(connection, queue: arguments[5], prefetchCount: 50, maxConcurrency: 8) { _ in
            try await Task.sleep(for: .milliseconds(2))
        }
        let clock = Clock()
        try await ServiceGroup(
            services: [connection, worker, Source(connection: connection, queue: arguments[5]), clock],
            gracefulShutdownSignals: [.sigterm],
            logger: Logger(label: "probe")
        ).run()
        let statistics = connection.statistics
        let took = clock.start.map { ContinuousClock.now - $0 } ?? .zero
        let milliseconds = took.components.seconds * 1000 + took.components.attoseconds / 1_000_000_000_000_000
        print(statistics.confirmed, statistics.unknownOutcomes, statistics.acknowledged, milliseconds)
    }
}

/// Publishes.
private struct Source: Service {
    let connection: Connection
    let queue: String

    func run() async throws {
        let channel = try await connection.openChannel()
        try await channel.selectConfirms(maxUnconfirmed: 100)
        let queue = try channel.queue(queue)
        try? await cancelWhenGracefulShutdown {
            while true { try await queue.publish(Message("x", deliveryMode: .persistent)) }
        }
        // The channel goes with this, and what is not confirmed by then has no known outcome.
        try? await channel.waitForConfirms()
    }
}

/// Notes when the shutdown began. It is the last service, and so the first to hear of it.
private final class Clock: Service {
    private let time = Mutex<ContinuousClock.Instant?>(nil)

    var start: ContinuousClock.Instant? { time.withLock { $0 } }

    func run() async throws {
        try await gracefulShutdown()
        time.withLock { $0 = .now }
    }
}
#else
/// Nothing without the trait.
@main
struct ServiceProbe {
    static func main() { print("build with --traits ServiceLifecycleSupport") }
}
#endif
