// The blocks of the pages, and of the comments, that need traits: they compile here, line for line.
#if ServiceLifecycleSupport && MetricsSupport && DistributedTracingSupport && ConfigurationSupport
import Configuration
import Logging
import RabbitMQ
import ServiceLifecycle
import SystemPackage
import UnixSignals

private struct Order: Decodable { var id: Int }

private func book(_ order: Order) async throws {}

private func shutdownPage(_ configuration: ConnectionConfiguration, _ logger: Logger, _ httpServer: any Service)
    async throws
{
    let connection = try await Connection.connect(configuration)
    let worker = ConsumerService(connection, queue: "orders", prefetchCount: 20, maxConcurrency: 4) { message in
        try await book(try message.decode(Order.self))
    }
    let group = ServiceGroup(
        services: [connection, worker, httpServer],
        gracefulShutdownSignals: [.sigterm],
        cancellationSignals: [.sigint],
        logger: logger
    )
    try await group.run()
}

private func connectionService(
    _ configuration: ConnectionConfiguration,
    _ logger: Logger,
    _ handle: @escaping @Sendable (IncomingMessage) async throws -> Void
) async throws {
    let connection = try await Connection.connect(configuration)
    let worker = ConsumerService(connection, queue: "orders") { message in try await handle(message) }
    try await ServiceGroup(
        services: [connection, worker],
        gracefulShutdownSignals: [.sigterm],
        logger: logger
    ).run()
}

private func retryingService(_ connection: Connection) -> ConsumerService {
    let policy = RetryPolicy(attempts: 5, delay: .seconds(1), factor: 4)
    let worker = ConsumerService(connection, maxConcurrency: 4, retrying: policy) { channel in
        try await channel.declareQueue("orders", arguments: QueueArguments(type: .quorum))
    } handler: { message in
        try await book(try message.decode(Order.self))
    }
    return worker
}

private func observabilityPage(_ connection: Connection) async {
    let metrics = ConnectionMetrics(connection)
    await metrics.report(every: .seconds(10))  // in a task of its own; or as one of a group's services

    var configuration = ConnectionConfiguration()
    configuration.measureDurations()
    configuration.traceMessages()
}

private func configurationPage() async throws -> [ConnectionConfiguration] {
    func fromFiles() async throws -> ConnectionConfiguration {
        let reader = ConfigReader(providers: [
            EnvironmentVariablesProvider(),
            try await FileProvider<JSONSnapshot>(filePath: "/etc/orders.json"),
        ])
        let configuration = try ConnectionConfiguration(reader: reader.scoped(to: "rabbitmq"))
        return configuration
    }
    let reader = ConfigReader(provider: EnvironmentVariablesProvider())
    let configuration = try ConnectionConfiguration(reader: reader.scoped(to: "rabbitmq"))
    return [configuration, try await fromFiles()]
}
#endif
