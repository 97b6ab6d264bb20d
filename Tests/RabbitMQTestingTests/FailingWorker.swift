import Logging
import RabbitMQ
import RabbitMQTesting
import TestSupport

private struct Failure: Error {}

/// Lends a broker, a connection, and a task that consumes the queue `q` with a handler that always fails.
///
/// - Parameters:
///   - callTimeout: The connection's; the broker's own without.
///   - publishTimeout: Likewise.
///   - log: Has what the connection logs; without, all but what is critical is passed over.
func withFailingWorker(
    _ options: InProcessBroker.Options = InProcessBroker.Options(),
    _ policy: RetryPolicy = RetryPolicy(attempts: 1),
    unconfirmed: RecoveryPolicy.Unconfirmed = .report,
    callTimeout: Duration? = nil,
    publishTimeout: Duration? = nil,
    log: CapturedLog? = nil,
    _ body: (InProcessBroker, Connection, Task<Void, any Error>) async throws -> Void
) async throws {
    try await InProcessBroker.run(options) { broker in
        var configuration = broker.configuration
        if let log { configuration.logger = log.logger } else { configuration.logger.logLevel = .critical }
        if let callTimeout { configuration.callTimeout = callTimeout }
        if let publishTimeout { configuration.publishTimeout = publishTimeout }
        configuration.recovery.unconfirmed = unconfirmed
        try await Connection.withConnection(configuration) { connection in
            let queue = try await connection.openChannel().declareQueue("q")
            let worker = Task {
                try await queue.process(retrying: policy) { _ in throw Failure() }
            }
            defer { worker.cancel() }
            try await eventually("it consumes") { broker.queue("q")?.consumers == 1 }
            try await body(broker, connection, worker)
        }
    }
}
