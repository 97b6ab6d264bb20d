internal import Synchronization

extension Queue {
    /// Starts a consumer over whose messages one iterates.
    ///
    /// AMQP 0-9-1, section 1.8.3.3. RabbitMQ: [Consumers](https://www.rabbitmq.com/docs/consumers).
    ///
    /// - Parameters:
    ///   - tag: A name for the consumer, unique on its channel, at most 255 bytes of UTF-8; made up if nil.
    ///   - noLocal: Whether not to get what this connection published. RabbitMQ ignores it.
    ///   - noAck: Whether messages need no acknowledgement.
    ///   - exclusive: Whether no other consumer may use the queue.
    ///   - arguments: Further arguments, such as `x-priority`; ``consume(options:)`` has types for them.
    /// - Returns: The messages.
    /// - Throws: What ``consume(options:)`` throws.
    public func consume(
        tag: String? = nil,
        noLocal: Bool = false,
        noAck: Bool = false,
        exclusive: Bool = false,
        arguments: Table = [:]
    ) async throws -> Deliveries {
        try await consume(
            options: ConsumerOptions(
                tag: tag,
                noLocal: noLocal,
                noAck: noAck,
                exclusive: exclusive,
                arguments: arguments
            )
        )
    }

    /// Starts a consumer over whose messages one iterates.
    ///
    /// AMQP 0-9-1, section 1.8.3.3. RabbitMQ: [Consumers](https://www.rabbitmq.com/docs/consumers).
    ///
    /// What the consumer was sent and nobody has seen goes back to the queue when it ends. With a quorum queue of RabbitMQ
    /// 4.0 to 4.2 that counts towards its ``QueueArguments/deliveryLimit``, so that consumers that come and go often want a
    /// small limit (``Channel/setQos(prefetchSize:prefetchCount:global:)``).
    ///
    /// - Parameter options: How the queue is consumed.
    /// - Returns: The messages.
    /// - Throws: ``AMQPError/Code/invalidArgument`` for options that contradict each other, or a tag that the channel uses
    ///   already, before anything is sent;
    ///   ``AMQPError/Code/accessRefused`` if the queue has an exclusive consumer; other ``AMQPError``s;
    ///   `CancellationError`.
    public func consume(options: ConsumerOptions) async throws -> Deliveries {
        Deliveries(try await startConsumer(options, callback: nil))
    }

    /// Starts a consumer that calls back for each message.
    ///
    /// It goes on until it is cancelled, whether or not the result is kept. An error that the callback throws is logged.
    ///
    /// - Parameters:
    ///   - tag: A name for the consumer, unique on its channel, at most 255 bytes of UTF-8; made up if nil.
    ///   - noLocal: Whether not to get what this connection published. RabbitMQ ignores it.
    ///   - noAck: Whether messages need no acknowledgement.
    ///   - exclusive: Whether no other consumer may use the queue.
    ///   - arguments: Further arguments, such as `x-priority`.
    ///   - maxConcurrency: How many calls may run at a time, at least 1. Messages come in order only with 1, which is the
    ///     default. The channel's prefetch limits it too.
    ///   - onCancel: Called after the last callback has returned, when the consumer was cancelled, by either side.
    ///   - onError: Called after the last callback has returned with the error, when channel or connection have gone.
    ///   - callback: Called for each message.
    /// - Returns: The consumer, with which it can be cancelled.
    /// - Throws: What ``consume(options:)`` throws.
    @discardableResult
    public func consume(
        tag: String? = nil,
        noLocal: Bool = false,
        noAck: Bool = false,
        exclusive: Bool = false,
        arguments: Table = [:],
        maxConcurrency: Int = 1,
        onCancel: (@Sendable () -> Void)? = nil,
        onError: (@Sendable (AMQPError) -> Void)? = nil,
        callback: @escaping Consumer.Callback
    ) async throws -> Consumer {
        let options = ConsumerOptions(
            tag: tag,
            noLocal: noLocal,
            noAck: noAck,
            exclusive: exclusive,
            arguments: arguments
        )
        return try await consume(
            options: options,
            maxConcurrency: maxConcurrency,
            onCancel: onCancel,
            onError: onError,
            callback: callback
        )
    }

    /// Starts a consumer that calls back for each message.
    ///
    /// It goes on until it is cancelled, whether or not the result is kept. An error that the callback throws is logged.
    ///
    /// - Parameters:
    ///   - options: How the queue is consumed.
    ///   - maxConcurrency: How many calls may run at a time, at least 1. Messages come in order only with 1, which is the
    ///     default. The channel's prefetch limits it too.
    ///   - onCancel: Called after the last callback has returned, when the consumer was cancelled, by either side.
    ///   - onError: Called after the last callback has returned with the error, when channel or connection have gone.
    ///   - callback: Called for each message.
    /// - Returns: The consumer, with which it can be cancelled.
    /// - Throws: What ``consume(options:)`` throws.
    @discardableResult
    public func consume(
        options: ConsumerOptions,
        maxConcurrency: Int = 1,
        onCancel: (@Sendable () -> Void)? = nil,
        onError: (@Sendable (AMQPError) -> Void)? = nil,
        callback: @escaping Consumer.Callback
    ) async throws -> Consumer {
        guard maxConcurrency > 0 else {
            throw AMQPError(.invalidArgument, "maxConcurrency is \(maxConcurrency), where at least one call must run")
        }
        let plan = CallbackPlan(maxConcurrency: maxConcurrency, onCancel: onCancel, onError: onError)
        let consumer = try await startConsumer(options, callback: callback, plan)
        Task { await consumer.callBack(plan) }
        return consumer
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
        let session = channel.session
        let (prefetch, sharedPrefetch, isLifted) = session.state.withLock {
            ($0.prefetchCount, $0.sharedPrefetchCount, $0.isSharedLimitLifted)
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
        let tag = options.tag.flatMap { $0.isEmpty ? nil : $0 } ?? session.nextConsumerTag()
        let version = ServerVersion(channel.connection.serverProperties)
        let isStream = !takesRequests && table.keys.contains { $0.hasPrefix("x-stream-") }
        // Streams are consumed so, or not at all.
        let mayBeStream = !isStream && !takesRequests && !options.noAck && prefetch > 0 && sharedPrefetch == 0
        // A limit for all consumers together may be lifted while this one lives.
        let isLimited = !options.noAck && prefetch > 0 && !(isLifted && version?.isAtLeast(4, 3) == true)
        let consumer = Consumer(
            tag: tag,
            source: DeliverySource(
                lease: channel.lease,
                queue: name,
                consumerTag: tag,
                noAck: options.noAck,
                isStream: type.map { $0 == .stream } ?? isStream,
                question: type == nil && mayBeStream ? streamQuestion(on: version) : nil,
                queueType: type,
                version: version
            ),
            buffer: DeliveryBuffer(gauge: session.link.gauge, isLimited: isLimited),
            callback: callback,
            plan: plan
        )
        let method = ClientMethod.Consume(
            queue: name,
            consumerTag: tag,
            noLocal: options.noLocal,
            noAck: options.noAck,
            exclusive: options.exclusive,
            arguments: table
        )
        var isSent = false
        do {
            _ = try await session.call(
                .basicConsume(method),
                consumer: consumer,
                whenSent: {
                    isSent = true
                    if !options.noAck { session.unsettled.begin(consumerTag: tag, queue: name, session: session) }
                }
            )
        } catch {
            // What was not sent is another's tag, perhaps.
            if isSent { session.unsettled.end(consumerTag: tag) }
            throw error
        }
        return consumer
    }
}

extension Queue {
    /// What answers whether the queue is a stream; nil where that doesn't matter.
    private func streamQuestion(on version: ServerVersion?) -> StreamQuestion? {
        if version?.isAtLeast(4, 0) == true { return nil }
        return StreamQuestion(
            session: channel.session,
            queue: declared.declaration()
        )
    }
}
