internal import Synchronization

extension Queue {
    /// Starts a consumer over whose messages one iterates.
    ///
    /// ```swift
    /// for try await message in try await queue.consume() {
    ///     try await message.process { message in try await handle(message) }
    /// }
    /// ```
    ///
    /// AMQP 0-9-1, section 1.8.3.3. RabbitMQ: [Consumers](https://www.rabbitmq.com/docs/consumers).
    ///
    /// What the consumer was sent and nobody has seen goes back to the queue when it ends. With a quorum queue of RabbitMQ
    /// 4.0 to 4.2 that counts towards its ``QueueArguments/deliveryLimit``, so that consumers that come and go often want a
    /// small limit (``Channel/setQos(prefetchSize:prefetchCount:global:)``).
    ///
    /// - Parameter options: How the queue is consumed: with acknowledgement and without anything else by default;
    ///   ``ConsumerOptions/noAck-type.property`` in short for without.
    /// - Returns: The messages.
    /// - Throws: ``AMQPError/Code/invalidArgument`` for options that contradict each other, or a tag that the channel uses
    ///   already, before anything is sent;
    ///   ``AMQPError/Code/accessRefused`` if the queue has an exclusive consumer; other ``AMQPError``s;
    ///   `CancellationError`.
    public func consume(_ options: ConsumerOptions = ConsumerOptions()) async throws -> Deliveries {
        Deliveries(try await startConsumer(options, callback: nil))
    }

    /// Starts a consumer that calls back for each message.
    ///
    /// It goes on until it is cancelled, whether or not the result is kept. The callback settles its message; when it
    /// throws, that is logged, and a message that it has not settled becomes what `onFailure` says.
    ///
    /// - Parameters:
    ///   - options: How the queue is consumed.
    ///   - maxConcurrency: How many calls may run at a time, at least 1. Messages come in order only with 1, which is the
    ///     default. The channel's prefetch limits it too.
    ///   - policy: What becomes of a message whose callback throws and has not settled it; by default it is delivered
    ///     again once, then dead-lettered.
    ///   - onCancel: Called after the last callback has returned, when the consumer was cancelled, by either side.
    ///   - onError: Called after the last callback has returned with the error, when channel or connection have gone.
    ///   - callback: Called for each message.
    /// - Returns: The consumer, with which it can be cancelled.
    /// - Throws: What ``consume(_:)`` throws.
    @discardableResult
    public func consume(
        _ options: ConsumerOptions = ConsumerOptions(),
        maxConcurrency: Int = 1,
        onFailure policy: FailurePolicy = .requeueOnce,
        onCancel: (@Sendable () -> Void)? = nil,
        onError: (@Sendable (AMQPError) -> Void)? = nil,
        callback: @escaping Consumer.Callback
    ) async throws -> Consumer {
        try Self.checkConcurrency(maxConcurrency)
        let plan = CallbackPlan(
            maxConcurrency: maxConcurrency,
            onFailure: { $0.settleAfter($1, policy, isOfEnd: $2) },
            onCancel: onCancel,
            onError: onError
        )
        return try await consume(options, plan, callback: callback)
    }

    func consume(
        _ options: ConsumerOptions,
        _ plan: CallbackPlan,
        callback: @escaping Consumer.Callback
    ) async throws -> Consumer {
        let consumer = try await startConsumer(options, callback: callback, plan)
        let calling = CallTimeout.withNone { Task { await consumer.callBack(plan) } }
        consumer.calling.withLock { $0 = calling }
        return consumer
    }

    static func checkConcurrency(_ count: Int) throws(AMQPError) {
        guard count < 1 else { return }
        throw AMQPError(.invalidArgument, "maxConcurrency is \(count), where at least one call must run")
    }

    /// Starts a consumer of requests: whatever their headers say, no stream has any.
    func consumeRequests(options: ConsumerOptions) async throws -> Deliveries {
        Deliveries(try await startConsumer(options, callback: nil, takesRequests: true))
    }

    private func startConsumer(
        _ options: ConsumerOptions,
        callback: Consumer.Callback?,
        _ plan: CallbackPlan = CallbackPlan(),
        takesRequests: Bool = false
    ) async throws -> Consumer {
        try Task.checkCancellation()
        try requireNotDeleted()
        let session = try await channel.core.ready()
        let (prefetch, sharedPrefetch, isLifted) = session.state.withLock {
            ($0.prefetch.each, $0.prefetch.shared, $0.prefetch.isSharedLifted)
        }
        try options.validate(prefetchCount: prefetch)
        try StreamRules.checkConsume(
            type: type,
            queue: name,
            noAck: options.noAck,
            prefetchCount: sharedPrefetch > 0 ? sharedPrefetch : prefetch,
            isGlobal: sharedPrefetch > 0
        )
        try StreamRules.checkOptions(options, type: type, queue: name)
        let table = options.table
        channel.connection.advice.consuming(name, table)
        // An empty tag would have the broker make one up, which might come after the first deliveries.
        let tag = options.tag.flatMap { $0.isEmpty ? nil : $0 } ?? channel.core.nextConsumerTag()
        let version = channel.connection.parameters.version
        let isStream = !takesRequests && table.keys.contains { $0.hasPrefix("x-stream-") }
        // Streams are consumed so, or not at all.
        let mayBeStream = !isStream && !takesRequests && !options.noAck && prefetch > 0 && sharedPrefetch == 0
        // A limit for all consumers together may be lifted while this one lives.
        let isLimited = !options.noAck && prefetch > 0 && !(isLifted && version?.isAtLeast(4, 3) == true)
        let core = channel.core
        // What its end in silence would leave open is kept by whatever belongs to it.
        let lease = channel.lease
        let (identity, type, arguments) = (identity, type, arguments)
        let mayHaveOffsets = !options.noAck && !takesRequests && (type == nil || type == .stream)
        let progress = mayHaveOffsets ? StreamProgress(start: table["x-stream-offset"]) : nil
        let makeSource = { @Sendable (session: ChannelSession, queue: String) in
            DeliverySource(
                session: session,
                lease: lease,
                queue: queue,
                consumerTag: tag,
                noAck: options.noAck,
                isStream: type.map { $0 == .stream } ?? isStream,
                question: type == nil && mayBeStream
                    ? Self.streamQuestion(session, identity.queue, on: version) : nil,
                queueType: type,
                hasDeadLetterExchange: arguments.deadLetterExchange != nil,
                version: version,
                progress: progress
            )
        }
        let consumer = Consumer(
            tag: tag,
            source: makeSource(session, identity.name),
            buffer: DeliveryBuffer(gauge: session.link.gauge, isLimited: isLimited),
            callback: callback,
            plan: plan
        )
        let subscription = Subscription(
            consumer: consumer,
            queue: identity,
            options: Subscription.ConsumeOptions(
                noLocal: options.noLocal,
                exclusive: options.exclusive,
                arguments: table,
                makeSource: makeSource
            ),
            prefetch: core.state.withLock { $0.setup.each }
        )
        try await core.begin(subscription)
        return consumer
    }
}

extension Queue {
    /// What answers whether the queue is a stream; nil where that doesn't matter.
    private static func streamQuestion(
        _ session: ChannelSession,
        _ queue: Topology.Queue,
        on version: ServerVersion?
    ) -> StreamQuestion? {
        if version?.isAtLeast(4, 0) == true { return nil }
        return StreamQuestion(session: session, queue: queue.declaration())
    }
}
