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
    ///   - arguments: Further arguments, such as `x-priority`.
    /// - Returns: The messages.
    /// - Throws: ``AMQPError/Code/accessRefused`` if the queue has an exclusive consumer; other ``AMQPError``s;
    ///   `CancellationError`.
    public func consume(
        tag: String? = nil,
        noLocal: Bool = false,
        noAck: Bool = false,
        exclusive: Bool = false,
        arguments: Table = [:]
    ) async throws -> Deliveries {
        Deliveries(
            try await startConsumer(
                tag: tag,
                noLocal: noLocal,
                noAck: noAck,
                exclusive: exclusive,
                arguments: arguments,
                callback: nil
            )
        )
    }

    /// Starts a consumer that calls back for each message, one at a time and in order.
    ///
    /// It goes on until it is cancelled, whether or not the result is kept. An error that the callback throws is logged.
    ///
    /// - Parameters:
    ///   - tag: A name for the consumer, unique on its channel, at most 255 bytes of UTF-8; made up if nil.
    ///   - noLocal: Whether not to get what this connection published. RabbitMQ ignores it.
    ///   - noAck: Whether messages need no acknowledgement.
    ///   - exclusive: Whether no other consumer may use the queue.
    ///   - arguments: Further arguments, such as `x-priority`.
    ///   - onCancel: Called after the last callback, when the consumer was cancelled, by either side.
    ///   - onError: Called after the last callback with the error, when channel or connection have gone.
    ///   - callback: Called for each message.
    /// - Returns: The consumer, with which it can be cancelled.
    /// - Throws: What ``consume(tag:noLocal:noAck:exclusive:arguments:)`` throws.
    @discardableResult
    public func consume(
        tag: String? = nil,
        noLocal: Bool = false,
        noAck: Bool = false,
        exclusive: Bool = false,
        arguments: Table = [:],
        onCancel: (@Sendable () -> Void)? = nil,
        onError: (@Sendable (AMQPError) -> Void)? = nil,
        callback: @escaping Consumer.Callback
    ) async throws -> Consumer {
        let consumer = try await startConsumer(
            tag: tag,
            noLocal: noLocal,
            noAck: noAck,
            exclusive: exclusive,
            arguments: arguments,
            callback: callback
        )
        Task { await consumer.run(onCancel: onCancel, onError: onError) }
        return consumer
    }

    private func startConsumer(
        tag: String?,
        noLocal: Bool,
        noAck: Bool,
        exclusive: Bool,
        arguments: Table,
        callback: Consumer.Callback?
    ) async throws -> Consumer {
        try requireNotDeleted()
        let session = channel.session
        // An empty tag would have the broker make one up, which might come after the first deliveries.
        let tag = tag.flatMap { $0.isEmpty ? nil : $0 } ?? ConsumerTags.next()
        let prefetch = session.state.withLock { $0.prefetchCount }
        let isUnlimited = noAck || prefetch == 0
        let consumer = Consumer(
            tag: tag,
            source: DeliverySource(lease: channel.lease, consumerTag: tag, noAck: noAck),
            buffer: DeliveryBuffer(gauge: isUnlimited ? session.link.gauge : nil),
            callback: callback
        )
        _ = try await session.call(
            .basicConsume(
                ClientMethod.Consume(
                    queue: name,
                    consumerTag: tag,
                    noLocal: noLocal,
                    noAck: noAck,
                    exclusive: exclusive,
                    arguments: arguments
                )
            ),
            consumer: consumer
        )
        return consumer
    }
}

/// Made-up consumer tags. Short, so that comparing them costs little.
private enum ConsumerTags {
    private static let count = Atomic<Int>(0)

    static func next() -> String { "ctag-\(count.add(1, ordering: .relaxed).newValue)" }
}
