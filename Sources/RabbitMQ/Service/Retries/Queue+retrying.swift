#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

extension Queue {
    /// Consumes the queue until the task is cancelled, with a handler whose failures a policy deals with.
    ///
    /// ```swift
    /// try await channel.setQos(prefetchCount: 20)
    /// try await queue.process(maxConcurrency: 10, retrying: RetryPolicy(attempts: 8)) { message in
    ///     try await handle(message)
    /// }
    /// ```
    ///
    /// What the policy needs is declared first: see ``RetryPolicy/topology(for:)``. A message is acknowledged when the handler
    /// returns. When it throws, the policy decides; a ``RetryDecision`` that it throws is the decision itself. The handler
    /// must not settle the messages: one that it has settled is left alone.
    ///
    /// The handler sees a message as it was published, with its exchange and routing key, however often it was tried;
    /// ``IncomingMessage/attempt`` says how often. When the task is cancelled, handlers are too, and the messages of those that
    /// throw go back to the queue without having counted; what is just being moved to its next place is moved first. A
    /// connection that is lost and made again ends nothing: what this has begun goes on, also where it had only begun to
    /// declare and to consume.
    ///
    /// - Parameters:
    ///   - options: How the queue is consumed; not without acknowledgement.
    ///   - maxConcurrency: How many calls may run at a time, at least 1. The channel's prefetch limits it too.
    ///   - policy: What becomes of messages whose handler fails.
    ///   - handler: What to do with a message.
    /// - Throws: ``AMQPError/Code/invalidArgument`` for a policy or a queue with which this can't work; what
    ///   ``Topology/apply(on:)``, ``Connection/openChannel()`` and ``consume(_:)`` throw; why no more messages come;
    ///   `CancellationError`.
    public func process(
        _ options: ConsumerOptions = ConsumerOptions(),
        maxConcurrency: Int = 1,
        retrying policy: RetryPolicy,
        _ handler: @escaping @Sendable (IncomingMessage) async throws -> Void
    ) async throws {
        try await processDeciding(options, maxConcurrency: maxConcurrency, retrying: policy) { message in
            try await handler(message)
            return .done
        }
    }

    /// Consumes the queue until the task is cancelled, with a handler that says what becomes of each message.
    ///
    /// As ``process(_:maxConcurrency:retrying:_:)`` does; this handler returns its decision: ``RetryDecision/done`` if all went
    /// well.
    ///
    /// - Parameters:
    ///   - options: How the queue is consumed; not without acknowledgement.
    ///   - maxConcurrency: How many calls may run at a time, at least 1.
    ///   - policy: What becomes of messages whose handler throws, and how long those wait that are tried again.
    ///   - handler: What to do with a message, and what becomes of it.
    /// - Throws: What ``process(_:maxConcurrency:retrying:_:)`` throws.
    public func processDeciding(
        _ options: ConsumerOptions = ConsumerOptions(),
        maxConcurrency: Int = 1,
        retrying policy: RetryPolicy,
        _ handler: @escaping @Sendable (IncomingMessage) async throws -> RetryDecision
    ) async throws {
        try await handle(options, maxConcurrency: maxConcurrency, retrying: policy, handler) { _ in }
    }

    /// Consumes the queue with a handler whose failures a policy deals with.
    ///
    /// - Parameter begin: Gets the consumer before anything is handled. What it throws is thrown.
    func handle(
        _ options: ConsumerOptions,
        maxConcurrency: Int,
        retrying policy: RetryPolicy,
        _ handler: @escaping RetryDesk.Handler,
        _ begin: (Consumer) throws -> Void
    ) async throws {
        try Self.checkConcurrency(maxConcurrency)
        let desk = try await retryDesk(options, policy, handler)
        let result: Result<Void, any Error>
        do {
            let deliveries = try await channel.connection.core.repeating { try await consume(options) }
            // Its last use would cancel the consumer.
            defer { withExtendedLifetime(deliveries) {} }
            try begin(deliveries.consumer)
            try await deliveries.consumer.forEachMessage(limit: maxConcurrency) { await desk.handle($0) }
            try Task.checkCancellation()
            result = .success(())
        } catch {
            result = .failure(error)
        }
        await desk.close()
        try result.get()
    }

    /// Consumes the queue until the task is cancelled, with a handler of the values that the bodies of its messages hold.
    ///
    /// As ``process(_:maxConcurrency:retrying:_:)`` does. A body that does not decode is an error as any other; the default
    /// policy parks it.
    ///
    /// - Parameters:
    ///   - type: The type of the values.
    ///   - options: How the queue is consumed; not without acknowledgement.
    ///   - maxConcurrency: How many calls may run at a time, at least 1.
    ///   - decoder: The decoder for the values; if nil, one with Foundation's defaults.
    ///   - policy: What becomes of messages whose handler fails.
    ///   - handler: What to do with a value and the message in which it came.
    /// - Throws: What ``process(_:maxConcurrency:retrying:_:)`` throws.
    public func process<Value: Decodable & Sendable>(
        _ type: Value.Type,
        options: ConsumerOptions = ConsumerOptions(),
        maxConcurrency: Int = 1,
        decoder: JSONDecoder? = nil,
        retrying policy: RetryPolicy,
        _ handler: @escaping @Sendable (Value, IncomingMessage) async throws -> Void
    ) async throws {
        try await processDeciding(options, maxConcurrency: maxConcurrency, retrying: policy) { message in
            try await handler(try message.decode(type, decoder: decoder), message)
            return .done
        }
    }

    /// Consumes the queue until the task is cancelled, with a handler of the values that a decoder finds in its messages.
    ///
    /// As ``process(_:maxConcurrency:retrying:_:)`` does. What does not decode is an error as any other; the default policy parks
    /// it.
    ///
    /// - Parameters:
    ///   - decoder: The decoder: of one format, or ``MessageDecoders`` for several.
    ///   - options: How the queue is consumed; not without acknowledgement.
    ///   - maxConcurrency: How many calls may run at a time, at least 1.
    ///   - policy: What becomes of messages whose handler fails.
    ///   - handler: What to do with a value and the message in which it came.
    /// - Throws: What ``process(_:maxConcurrency:retrying:_:)`` throws.
    public func process<Decoder: MessageDecoder>(
        using decoder: Decoder,
        options: ConsumerOptions = ConsumerOptions(),
        maxConcurrency: Int = 1,
        retrying policy: RetryPolicy,
        _ handler: @escaping @Sendable (Decoder.Value, IncomingMessage) async throws -> Void
    ) async throws {
        try await processDeciding(options, maxConcurrency: maxConcurrency, retrying: policy) { message in
            try await handler(try message.decode(using: decoder), message)
            return .done
        }
    }

    /// Starts a consumer with a handler whose failures a policy deals with, and does not wait for its end.
    ///
    /// As ``process(_:maxConcurrency:retrying:_:)``, but it goes on until it is cancelled with ``Consumer/cancel()``, whether
    /// or not the result is kept. No handler begins after that; ``Consumer/ended`` waits for those that run.
    ///
    /// - Parameters:
    ///   - options: How the queue is consumed; not without acknowledgement.
    ///   - maxConcurrency: How many calls may run at a time, at least 1.
    ///   - policy: What becomes of messages whose handler fails.
    ///   - onCancel: Called after the last handler has returned, when the consumer was cancelled, by either side.
    ///   - onError: Called after the last handler has returned with the error, when channel or connection have gone.
    ///   - handler: What to do with a message.
    /// - Returns: The consumer, with which it can be cancelled.
    /// - Throws: What ``process(_:maxConcurrency:retrying:_:)`` throws before it consumes.
    @discardableResult
    public func consume(
        _ options: ConsumerOptions = ConsumerOptions(),
        maxConcurrency: Int = 1,
        retrying policy: RetryPolicy,
        onCancel: (@Sendable () -> Void)? = nil,
        onError: (@Sendable (AMQPError) -> Void)? = nil,
        handler: @escaping @Sendable (IncomingMessage) async throws -> Void
    ) async throws -> Consumer {
        try Self.checkConcurrency(maxConcurrency)
        let desk = try await retryDesk(options, policy) { message in
            try await handler(message)
            return .done
        }
        let plan = CallbackPlan(
            maxConcurrency: maxConcurrency,
            isObserved: false,
            onCancel: onCancel,
            onError: onError
        )
        let consumer = try await channel.connection.core.repeating {
            try await consume(options, plan) { await desk.handle($0) }
        }
        // Whoever holds the consumer holds its callback, and the channel for what is tried again would stay open with that.
        CallTimeout.withNone {
            _ = Task { [returned = consumer.callbacksReturned] in
                try await returned.wait()
                await desk.close()
            }
        }
        return consumer
    }

    private func retryDesk(
        _ options: ConsumerOptions,
        _ policy: RetryPolicy,
        _ handler: @escaping RetryDesk.Handler
    ) async throws -> RetryDesk {
        try Task.checkCancellation()
        try policy.validate()
        try requireNotDeleted()
        func require(_ condition: Bool, _ problem: String) throws(AMQPError) {
            guard condition else { throw AMQPError(.invalidArgument, "\(declared) can't be retried: \(problem)") }
        }
        try require(!options.noAck, "its messages would be settled before they are handled")
        try require(!identity.isServerNamed, "the broker may give it another name at any time")
        try require(type != .stream, "it is a stream, which keeps its messages")
        let connection = channel.connection
        let plan = RetryPlan(
            policy: policy.parking(before: arguments.deliveryLimit),
            ring: RetryRing(policy, queue: name, queueType: type),
            brokerDelays: arguments.delaysRetries && connection.parameters.version?.isAtLeast(4, 3) == true
        )
        // Also where somebody else declares it: what can't be sent there would come round for ever.
        try plan.ring.topology.validate()
        if plan.brokerDelays {
            let limit = arguments.deliveryLimit ?? QueueArguments.defaultDeliveryLimit
            try require(
                limit < 0 || policy.attempts <= limit,
                "it drops what failed \(limit) times (deliveryLimit), and the policy has \(policy.attempts) attempts"
            )
        }
        return RetryDesk(
            plan: plan,
            sender: try await connection.core.repeating {
                try await RetrySender(connection: connection, declaring: policy.declares ? plan.ring.topology : nil)
            },
            logger: connection.core.logger,
            handler: handler
        )
    }
}

extension RetryPolicy {
    /// The policy for a queue that drops, or dead-letters, what comes back more often than its limit: to be parked, it must not.
    fileprivate func parking(before limit: Int?) -> RetryPolicy {
        guard let limit, limit > 0, let most = maxReturns, most > limit else { return self }
        var policy = self
        policy.maxReturns = limit
        return policy
    }
}

extension QueueArguments {
    /// RabbitMQ's, from 4.0 on.
    fileprivate static let defaultDeliveryLimit = 20

    /// Whether a broker that can do so lets messages wait that failed.
    fileprivate var delaysRetries: Bool {
        type == .quorum && (delayedRetryType == .failed || delayedRetryType == .all) && delayedRetryMin != nil
    }
}

extension RetryPolicy {
    /// The arguments of a quorum queue whose messages RabbitMQ 4.3 and later let wait by themselves, as far as they can do
    /// what the policy says.
    ///
    /// ```swift
    /// let orders = try await channel.declareQueue("orders", arguments: policy.delayedRetry())
    /// ```
    ///
    /// The first delay is the policy's, and grows by as much with each failure, up to its longest: there is no other factor, and
    /// no jitter. Earlier brokers ignore these arguments, and the library lets messages wait in queues of its own.
    ///
    /// - Parameter arguments: Further arguments of the queue.
    public func delayedRetry(_ arguments: QueueArguments = QueueArguments()) -> QueueArguments {
        var arguments = arguments
        arguments.type = .quorum
        arguments.delayedRetryType = .failed
        arguments.delayedRetryMin = delay
        arguments.delayedRetryMax = max(delay, maxDelay)
        return arguments
    }
}
