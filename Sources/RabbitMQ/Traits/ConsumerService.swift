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
/// for `onFailure` to say, or for a ``RetryPolicy`` (`retrying`), which has it tried again after a while and parks it at last.
/// A connection that is lost and made again ends nothing, also where the service only begins.
public struct ConsumerService: Service {
    /// Who says what becomes of a message when the handler throws.
    private enum Failures {
        case policy(FailurePolicy)
        case retries(RetryPolicy)
    }

    private let connection: Connection
    private let options: ConsumerOptions
    private let prefetchCount: UInt16
    private let maxConcurrency: Int
    private let failures: Failures
    private let grace: Duration?
    private let prepare: @Sendable (Channel) async throws -> Queue
    private let handler: @Sendable (IncomingMessage) async throws -> Void

    /// Consumes until the service group shuts down: then it takes no more messages, what nobody has begun goes back to the
    /// queue, and calls that run may end within the grace period. Those that have not are cancelled, and their messages go back
    /// too. When the task is cancelled, they are cancelled at once. While it has not begun to consume, because the connection is
    /// lost for example, it ends at once in either case.
    ///
    /// - Throws: ``AMQPError/Code/invalidArgument``; what `prepare` and ``Queue/consume(_:)`` throw, or with a
    ///   ``RetryPolicy`` ``Queue/process(_:maxConcurrency:retrying:_:)``; why no more messages come, if the queue is deleted,
    ///   for example.
    public func run() async throws {
        let begun = Broadcast<Consumer?>()
        let working = Task { try await work(begun) }
        let grace = grace ?? connection.core.configuration.shutdownTimeout
        let stopping = Broadcast<Task<Void, Never>>()
        let result = await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                await working.result
            } onGracefulShutdown: {
                stopping.set(
                    Task {
                        // What has not begun has nothing to bring to its end, and may wait for the broker for long.
                        if begun.set(nil) { working.cancel() }
                        let consumer = begun.current.flatMap { $0 }
                        await withDeadline(after: grace) {
                            working.cancel()
                        } _: {
                            // If the broker does not answer, the messages end all the same.
                            async let _ = try? consumer?.endIntake()
                            _ = await working.result
                        }
                    }
                )
            }
        } onCancel: {
            working.cancel()
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

    /// Opens, consumes until no more messages come, and closes.
    ///
    /// - Parameter begun: Gets the consumer; nil from whoever wants the end before there is one.
    private func work(_ begun: Broadcast<Consumer?>) async throws {
        let core = connection.core
        // A call on its way when the connection is lost fails, which is no reason to end.
        let channel = try await core.repeating { try await connection.openChannel() }
        do {
            let queue = try await core.repeating {
                try await channel.setQos(prefetchCount: prefetchCount)
                return try await prepare(channel)
            }
            try await consume(queue) { consumer in
                guard begun.set(consumer) else { throw CancellationError() }
            }
        } catch {
            await channel.close()
            throw error
        }
        await channel.close()
    }

    private func consume(_ queue: Queue, _ begin: (Consumer) throws -> Void) async throws {
        switch failures {
        case .policy(let policy):
            let deliveries = try await connection.core.repeating { try await queue.consume(options) }
            try begin(deliveries.consumer)
            try await deliveries.process(maxConcurrency: maxConcurrency, onFailure: policy, handler)
        case .retries(let policy):
            let decide: RetryDesk.Handler = { message in
                try await handler(message)
                return .done
            }
            try await queue.handle(options, maxConcurrency: maxConcurrency, retrying: policy, decide, begin)
        }
    }
}

extension ConsumerService {
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
    ///   - prepare: Declares on the service's channel what it needs, and returns the queue. Called again if the connection
    ///     is lost meanwhile.
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
        self.init(
            connection: connection,
            options: options,
            prefetchCount: prefetchCount,
            maxConcurrency: maxConcurrency,
            failures: .policy(policy),
            grace: grace,
            prepare: prepare,
            handler: handler
        )
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

    /// Makes a service that consumes from what `prepare` gives, and has a policy deal with what the handler fails with.
    ///
    /// ```swift
    /// let policy = RetryPolicy(attempts: 5, delay: .seconds(1), factor: 4)
    /// let worker = ConsumerService(connection, maxConcurrency: 4, retrying: policy) { channel in
    ///     try await channel.declareQueue("orders", arguments: QueueArguments(type: .quorum))
    /// } handler: { message in
    ///     try await book(try message.decode(Order.self))
    /// }
    /// ```
    ///
    /// As ``Queue/process(_:maxConcurrency:retrying:_:)`` does: what the policy needs is declared as the service begins, and a
    /// ``RetryDecision`` that the handler throws is the decision itself.
    ///
    /// - Parameters:
    ///   - connection: Where to open its channel.
    ///   - options: How the queue is consumed; not without acknowledgement.
    ///   - prefetchCount: How many messages the broker sends before they are settled.
    ///   - maxConcurrency: How many calls of the handler may run at a time, at least 1.
    ///   - policy: What becomes of messages whose handler fails.
    ///   - grace: How long calls that run may take when it is shut down; the configuration's
    ///     ``ConnectionConfiguration/shutdownTimeout`` by default.
    ///   - prepare: Declares on the service's channel what it needs, and returns the queue: declared there, so that its type is
    ///     known (``RetryPolicy/queueType``). Called again if the connection is lost meanwhile.
    ///   - handler: What to do with a message.
    public init(
        _ connection: Connection,
        options: ConsumerOptions = ConsumerOptions(),
        prefetchCount: UInt16 = 20,
        maxConcurrency: Int = 1,
        retrying policy: RetryPolicy,
        grace: Duration? = nil,
        prepare: @escaping @Sendable (Channel) async throws -> Queue,
        handler: @escaping @Sendable (IncomingMessage) async throws -> Void
    ) {
        self.init(
            connection: connection,
            options: options,
            prefetchCount: prefetchCount,
            maxConcurrency: maxConcurrency,
            failures: .retries(policy),
            grace: grace,
            prepare: prepare,
            handler: handler
        )
    }

    /// Makes a service that consumes from a queue that exists, and has a policy deal with what the handler fails with.
    ///
    /// As ``init(_:options:prefetchCount:maxConcurrency:retrying:grace:prepare:handler:)`` does. Of a queue that this
    /// connection has not declared nobody here knows the type: say it with ``RetryPolicy/queueType`` if it is a quorum queue.
    ///
    /// - Parameters:
    ///   - connection: Where to open its channel.
    ///   - queue: The name of the queue.
    ///   - options: How the queue is consumed; not without acknowledgement.
    ///   - prefetchCount: How many messages the broker sends before they are settled.
    ///   - maxConcurrency: How many calls of the handler may run at a time, at least 1.
    ///   - policy: What becomes of messages whose handler fails.
    ///   - grace: How long calls that run may take when it is shut down; the configuration's
    ///     ``ConnectionConfiguration/shutdownTimeout`` by default.
    ///   - handler: What to do with a message.
    public init(
        _ connection: Connection,
        queue: String,
        options: ConsumerOptions = ConsumerOptions(),
        prefetchCount: UInt16 = 20,
        maxConcurrency: Int = 1,
        retrying policy: RetryPolicy,
        grace: Duration? = nil,
        handler: @escaping @Sendable (IncomingMessage) async throws -> Void
    ) {
        self.init(
            connection,
            options: options,
            prefetchCount: prefetchCount,
            maxConcurrency: maxConcurrency,
            retrying: policy,
            grace: grace,
            prepare: { channel in try channel.queue(queue) },
            handler: handler
        )
    }
}
#endif
