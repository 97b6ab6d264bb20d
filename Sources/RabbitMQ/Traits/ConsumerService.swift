#if ServiceLifecycleSupport
public import ServiceLifecycle

/// A consumer with a handler, as a service.
///
/// ```swift
/// let worker = ConsumerService(connection, queue: "orders", prefetchCount: 20, maxConcurrency: 4) { message in
///     try await book(try message.decode(Order.self))
/// }
/// ```
///
/// It has a channel of its own. Each message is acknowledged when the handler returns; when it throws, what becomes of it is
/// for `onFailure` to say.
public struct ConsumerService: Service {
    private let connection: Connection
    private let prepare: @Sendable (Channel) async throws -> Queue
    private let options: ConsumerOptions
    private let prefetchCount: UInt16
    private let maxConcurrency: Int
    private let policy: FailurePolicy
    private let grace: Duration?
    private let handler: @Sendable (IncomingMessage) async throws -> Void

    /// Makes a service that consumes from what `prepare` gives.
    ///
    /// - Parameters:
    ///   - connection: Where to open its channel.
    ///   - options: How the queue is consumed.
    ///   - prefetchCount: How many messages the broker sends before they are settled.
    ///   - maxConcurrency: How many calls of the handler may run at a time, at least 1. Messages come in order only with 1.
    ///   - policy: What becomes of a message when the handler throws; by default it is delivered again once, then
    ///     dead-lettered.
    ///   - grace: How long calls that run may take when it is shut down; the configuration's
    ///     ``ConnectionConfiguration/shutdownTimeout`` by default.
    ///   - prepare: Declares on the service's channel what it needs, and returns the queue.
    ///   - handler: What to do with a message.
    public init(
        _ connection: Connection,
        options: ConsumerOptions = ConsumerOptions(),
        prefetchCount: UInt16 = 20,
        maxConcurrency: Int = 1,
        onFailure policy: FailurePolicy = .requeueOnce,
        grace: Duration? = nil,
        prepare: @escaping @Sendable (Channel) async throws -> Queue,
        handler: @escaping @Sendable (IncomingMessage) async throws -> Void
    ) {
        self.connection = connection
        self.prepare = prepare
        self.options = options
        self.prefetchCount = prefetchCount
        self.maxConcurrency = maxConcurrency
        self.policy = policy
        self.grace = grace
        self.handler = handler
    }

    /// Makes a service that consumes from a queue that exists.
    ///
    /// - Parameters:
    ///   - connection: Where to open its channel.
    ///   - queue: The name of the queue.
    ///   - options: How the queue is consumed.
    ///   - prefetchCount: How many messages the broker sends before they are settled.
    ///   - maxConcurrency: How many calls of the handler may run at a time, at least 1. Messages come in order only with 1.
    ///   - policy: What becomes of a message when the handler throws; by default it is delivered again once, then
    ///     dead-lettered.
    ///   - grace: How long calls that run may take when it is shut down; the configuration's
    ///     ``ConnectionConfiguration/shutdownTimeout`` by default.
    ///   - handler: What to do with a message.
    public init(
        _ connection: Connection,
        queue: String,
        options: ConsumerOptions = ConsumerOptions(),
        prefetchCount: UInt16 = 20,
        maxConcurrency: Int = 1,
        onFailure policy: FailurePolicy = .requeueOnce,
        grace: Duration? = nil,
        handler: @escaping @Sendable (IncomingMessage) async throws -> Void
    ) {
        self.init(
            connection,
            options: options,
            prefetchCount: prefetchCount,
            maxConcurrency: maxConcurrency,
            onFailure: policy,
            grace: grace,
            prepare: { channel in try channel.queue(queue) },
            handler: handler
        )
    }

    /// Consumes until the service group shuts down: then it takes no more messages, what nobody has begun goes back to the
    /// queue, and calls that run may end within the grace period. Those that have not are cancelled, and their messages go back
    /// too. When the task is cancelled, they are cancelled at once.
    ///
    /// - Throws: ``AMQPError/Code/invalidArgument``; what `prepare` and ``Queue/consume(_:)`` throw; why no more messages
    ///   come, if the queue is deleted, for example.
    public func run() async throws {
        let channel = try await connection.openChannel()
        do {
            try await channel.setQos(prefetchCount: prefetchCount)
            let deliveries = try await prepare(channel).consume(options)
            try await process(deliveries)
        } catch {
            await channel.close()
            throw error
        }
        await channel.close()
    }

    private func process(_ deliveries: Deliveries) async throws {
        let processing = Task {
            try await deliveries.process(maxConcurrency: maxConcurrency, onFailure: policy, handler)
        }
        let grace = grace ?? connection.core.configuration.shutdownTimeout
        let stopping = Broadcast<Task<Void, Never>>()
        let result = await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                await processing.result
            } onGracefulShutdown: {
                stopping.set(
                    Task {
                        await withDeadline(after: grace) {
                            processing.cancel()
                        } _: {
                            // If the broker does not answer, the messages end all the same.
                            async let _ = try? deliveries.consumer.endIntake()
                            _ = await processing.result
                        }
                    }
                )
            }
        } onCancel: {
            processing.cancel()
        }
        guard let stopping = stopping.current else {
            do {
                try result.get()
            } catch is CancellationError where Task.isCancelled {
                // It was told to end, and did.
            }
            return
        }
        // Whatever the end is called that it was told to come to.
        await stopping.value
    }
}
#endif
