internal import Logging
#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// A message with the value that its body holds.
public struct DecodedMessage<Value> {
    /// What the body holds.
    public let value: Value

    /// The message, which is to be settled.
    public let message: IncomingMessage

    package init(value: Value, message: IncomingMessage) {
        self.value = value
        self.message = message
    }
}

extension DecodedMessage: Sendable where Value: Sendable {}

extension DecodedMessage {
    /// Tells the broker that the message is done with.
    ///
    /// - Throws: What ``IncomingMessage/ack(multiple:)`` throws.
    public func ack() throws(AMQPError) { try message.ack() }

    /// Refuses the message.
    ///
    /// - Parameter requeue: Whether the broker is to deliver it again.
    /// - Throws: What ``IncomingMessage/reject(requeue:)`` throws.
    public func reject(requeue: Bool = true) throws(AMQPError) { try message.reject(requeue: requeue) }

    /// Runs `body` with the value and settles the message by how it ends.
    ///
    /// - Parameters:
    ///   - policy: What becomes of the message when `body` throws; by default it is delivered again once, then
    ///     dead-lettered.
    ///   - body: What to do with the value.
    /// - Returns: What `body` returns.
    /// - Throws: What ``IncomingMessage/process(onFailure:_:)`` throws.
    @discardableResult
    public func process<Result>(
        onFailure policy: FailurePolicy = .requeueOnce,
        _ body: (Value) async throws -> Result
    ) async throws -> Result {
        try await message.process(onFailure: policy) { _ in try await body(value) }
    }
}

/// The messages of a consumer with the values that their bodies hold: see
/// ``Deliveries/decoded(as:decoder:onUndecodable:)`` and ``Deliveries/decoded(using:onUndecodable:)``.
public struct DecodedDeliveries<Value>: AsyncSequence, Sendable {
    /// The sequence that they are taken from.
    public let deliveries: Deliveries
    let decoder: any MessageDecoder<Value>
    let policy: UndecodablePolicy

    /// Makes an iterator. Of several, each message goes to one.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(base: deliveries.makeAsyncIterator(), decoder: decoder, policy: policy)
    }

    /// Takes one message after the other.
    public struct AsyncIterator: AsyncIteratorProtocol {
        var base: Deliveries.AsyncIterator
        let decoder: any MessageDecoder<Value>
        let policy: UndecodablePolicy

        /// Waits for the next message that decodes.
        ///
        /// - Returns: The message, or nil once the consumer was cancelled with ``Consumer/cancel()``.
        /// - Throws: `CancellationError`, an ``AMQPError`` that says why no more messages come, or what the policy for
        ///   those that don't decode throws.
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws -> DecodedMessage<Value>? {
            while let message = try await base.next(isolation: actor) {
                do throws(AMQPError) {
                    return DecodedMessage(value: try message.decode(using: decoder), message: message)
                } catch {
                    try await policy.apply(to: message, error)
                }
            }
            return nil
        }

        /// Waits for the next message that decodes.
        ///
        /// - Returns: The message, or nil once the consumer was cancelled with ``Consumer/cancel()``.
        /// - Throws: `CancellationError`, an ``AMQPError`` that says why no more messages come, or what the policy for
        ///   those that don't decode throws.
        public mutating func next() async throws -> DecodedMessage<Value>? { try await next(isolation: #isolation) }
    }
}

extension UndecodablePolicy {
    func apply(to message: IncomingMessage, _ error: AMQPError) async throws {
        switch kind {
        case .fail:
            // With its channel it has gone back by itself.
            if !message.isStale { try? message.settle(.requeue) }
            throw error
        case .deadLetterOrFail:
            let policy = message.source.hasDeadLetterExchange ? UndecodablePolicy.deadLetter : .fail
            try await policy.apply(to: message, error)
        case .settle(let disposition):
            // It comes again, and is told of then.
            if message.isStale { return }
            message.source.session.link.logger.warning(
                "a message does not decode",
                metadata: [
                    LogKey.consumerTag: "\((message.consumerTag ?? "").printable())",
                    LogKey.deliveryTag: "\(message.deliveryTag)",
                    LogKey.disposition: "\(disposition)", LogKey.error: "\(error)",
                ]
            )
            // One without acknowledgement can't be settled.
            try? message.settle(disposition)
        case .handle(let body):
            try await message.process(onFailure: .requeue) { message in try await body(message, error) }
        }
    }
}

extension Deliveries {
    /// The messages with the values that their JSON bodies hold.
    ///
    /// - Parameters:
    ///   - type: The type of the values.
    ///   - decoder: The decoder for the values; if nil, one with Foundation's defaults.
    ///   - policy: What becomes of messages that don't decode.
    /// - Returns: The messages that decode.
    public func decoded<Value: Decodable>(
        as type: Value.Type = Value.self,
        decoder: JSONDecoder? = nil,
        onUndecodable policy: UndecodablePolicy = .deadLetterOrFail
    ) -> DecodedDeliveries<Value> {
        DecodedDeliveries(deliveries: self, decoder: JSONCodec<Value>(decoder: decoder), policy: policy)
    }

    /// The messages with the values that a decoder finds in them.
    ///
    /// - Parameters:
    ///   - decoder: The decoder: of one format, or ``MessageDecoders`` for several.
    ///   - policy: What becomes of messages that don't decode.
    /// - Returns: The messages that decode.
    public func decoded<Decoder: MessageDecoder>(
        using decoder: Decoder,
        onUndecodable policy: UndecodablePolicy = .deadLetterOrFail
    ) -> DecodedDeliveries<Decoder.Value> {
        DecodedDeliveries(deliveries: self, decoder: decoder, policy: policy)
    }
}

extension Queue {
    /// Starts a consumer over whose messages one iterates, with the values that their JSON bodies hold.
    ///
    /// ```swift
    /// for try await order in try await queue.messages(of: Order.self, onUndecodable: .deadLetter) {
    ///     try await order.process { order in try await ship(order) }
    /// }
    /// ```
    ///
    /// - Parameters:
    ///   - type: The type of the values.
    ///   - options: How the queue is consumed.
    ///   - decoder: The decoder for the values; if nil, one with Foundation's defaults.
    ///   - policy: What becomes of messages that don't decode.
    /// - Returns: The messages that decode.
    /// - Throws: What ``consume(_:)`` throws.
    public func messages<Value: Decodable>(
        of type: Value.Type,
        options: ConsumerOptions = ConsumerOptions(),
        decoder: JSONDecoder? = nil,
        onUndecodable policy: UndecodablePolicy = .deadLetterOrFail
    ) async throws -> DecodedDeliveries<Value> {
        try await consume(options).decoded(as: type, decoder: decoder, onUndecodable: policy)
    }

    /// Starts a consumer over whose messages one iterates, with the values that a decoder finds in them.
    ///
    /// - Parameters:
    ///   - decoder: The decoder: of one format, or ``MessageDecoders`` for several.
    ///   - options: How the queue is consumed.
    ///   - policy: What becomes of messages that don't decode.
    /// - Returns: The messages that decode.
    /// - Throws: What ``consume(_:)`` throws.
    public func messages<Decoder: MessageDecoder>(
        using decoder: Decoder,
        options: ConsumerOptions = ConsumerOptions(),
        onUndecodable policy: UndecodablePolicy = .deadLetterOrFail
    ) async throws -> DecodedDeliveries<Decoder.Value> {
        try await consume(options).decoded(using: decoder, onUndecodable: policy)
    }
}
