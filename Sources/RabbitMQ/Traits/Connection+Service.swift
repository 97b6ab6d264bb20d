#if ServiceLifecycleSupport
public import ServiceLifecycle

extension Connection: Service {
    /// Runs until the service group shuts down, and then shuts the connection down: see ``shutdown(within:)``.
    ///
    /// ```swift
    /// let connection = try await Connection.connect(configuration)
    /// let worker = ConsumerService(connection, queue: "orders") { message in try await handle(message) }
    /// try await ServiceGroup(
    ///     services: [connection, worker],
    ///     gracefulShutdownSignals: [.sigterm],
    ///     logger: logger
    /// ).run()
    /// ```
    ///
    /// A group shuts its services down from the last to the first: put the connection before what uses it.
    ///
    /// On a graceful shutdown it returns when the connection is closed, at the latest after the configuration's
    /// ``ConnectionConfiguration/shutdownTimeout``; at once if there is no connection at present. When the task is cancelled,
    /// handlers and confirms are not waited for.
    ///
    /// - Throws: The reason, if the connection ends for good otherwise than by the application.
    public func run() async throws {
        do {
            let reason = try await cancelWhenGracefulShutdown { try await self.closed }
            if reason.kind != .closedByApplication { throw reason.error }
        } catch is CancellationError {
            await shutdown()
        }
    }
}

extension RPCServer: Service {
    /// Runs until the service group shuts down, and then stops: takes no more requests, waits until those that run are
    /// answered, for as long as `shutdownTimeout` says (``ConnectionConfiguration/shutdownTimeout``), and closes its channel.
    ///
    /// - Throws: The reason, if it ends otherwise than by ``stop(within:)``.
    public func run() async throws {
        do {
            if let error = try await cancelWhenGracefulShutdown({ try await self.stopped }) { throw error }
        } catch is CancellationError {
            await stop(within: shutdownTimeout)
        }
    }
}
#endif
