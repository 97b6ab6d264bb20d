#if DistributedTracingSupport
public import Tracing

extension ConnectionConfiguration {
    /// Has spans made of what is published and handled, by the tracer that the process has (`InstrumentationSystem`).
    ///
    /// - Publishing makes a span of kind `producer`, such as `publish orders`, from handing over until the message is on its
    ///   way, and puts its context into the message's headers: with W3C's propagation, `traceparent` and `tracestate`. What a
    ///   ``RetryPolicy`` has tried again, or parked, keeps the context of who published it first.
    /// - A handler's call runs within a span of kind `consumer`, such as `process orders`, whose parent is the one that the
    ///   message's headers tell of: callbacks, ``IncomingMessage/process(onFailure:_:)`` and all that is made of it, handlers
    ///   with a ``RetryPolicy`` or of ``Partitions``, each attempt, and those of RPC servers. A reply's span belongs to its
    ///   handler's.
    /// - For messages that are handled otherwise, such as batches, there are ``IncomingMessage/serviceContext`` and
    ///   ``withProcessSpan(of:queue:isolation:_:)``.
    ///
    /// Attributes are OpenTelemetry's: `messaging.system`, `messaging.operation.name`, `messaging.destination.name` and
    /// others. A published message goes the way of those that have to wait, which takes some more time.
    public mutating func traceMessages() { tracing = MessageTracer() }
}

extension IncomingMessage {
    /// The context of the span that published the message, as its headers tell it to the process's tracer.
    public var serviceContext: ServiceContext {
        var context = ServiceContext.topLevel
        InstrumentationSystem.instrument.extract(message.headers ?? [:], into: &context, using: HeaderCarrier())
        return context
    }
}

/// Runs `body` within a span of kind `consumer` that has a link to each of the spans that published the messages.
///
/// - Parameters:
///   - messages: What is handled together.
///   - queue: Where they come from.
///   - isolation: The actor on which `body` runs; the caller's by default.
///   - body: What handles them.
/// - Returns: What `body` returns.
/// - Throws: What `body` throws.
public func withProcessSpan<Result>(
    of messages: [IncomingMessage],
    queue: String,
    isolation: isolated (any Actor)? = #isolation,
    _ body: () async throws -> Result
) async throws -> Result {
    try await withSpan("process \(MessagingName.ofFew(queue: queue))", ofKind: .consumer) { span in
        for message in messages { span.addLink(SpanLink(context: message.serviceContext, attributes: [:])) }
        span.attributes["messaging.system"] = "rabbitmq"
        span.attributes["messaging.operation.name"] = "process"
        span.attributes["messaging.operation.type"] = "process"
        span.attributes["messaging.destination.name"] = queue
        if EntityName.isServerNamed(queue) { span.attributes["messaging.destination.anonymous"] = true }
        span.attributes["messaging.batch.message_count"] = messages.count
        return try await noting(span, body)
    }
}

/// Reads and writes the headers that carry a span's context.
struct HeaderCarrier: Injector, Extractor {
    func inject(_ value: String, forKey key: String, into carrier: inout FieldTable) {
        // Names of headers have no more room, and a message that could not be sent were worse than a trace that ends.
        guard key.utf8.count <= 128 else { return }
        carrier[key] = .string(value)
    }

    func extract(key: String, from carrier: FieldTable) -> String? { carrier[key]?.stringValue }
}

private struct MessageTracer: MessageTracing {
    func publishing<Result>(
        _ message: Message,
        exchange: String,
        routingKey: String,
        _ publish: (Message) async throws -> Result
    ) async throws -> Result {
        try await withSpan("publish \(Self.target(exchange, routingKey))", ofKind: .producer) { span in
            span.attributes["messaging.system"] = "rabbitmq"
            span.attributes["messaging.operation.name"] = "publish"
            span.attributes["messaging.operation.type"] = "send"
            span.attributes["messaging.destination.name"] = MessagingName.destination(
                exchange: exchange,
                routingKey: routingKey
            )
            Self.describe(message, routingKey, on: span)
            var message = message
            var headers = message.headers ?? [:]
            InstrumentationSystem.instrument.inject(span.context, into: &headers, using: HeaderCarrier())
            if !headers.isEmpty { message.headers = headers }
            return try await noting(span) { try await publish(message) }
        }
    }

    func processing<Result>(
        _ delivery: ObservedDelivery,
        _ handle: () async throws -> Result
    ) async throws -> Result {
        var context = ServiceContext.current ?? .topLevel
        InstrumentationSystem.instrument.extract(
            delivery.message.headers ?? [:],
            into: &context,
            using: HeaderCarrier()
        )
        let name = "process \(MessagingName.ofFew(queue: delivery.queue))"
        return try await withSpan(name, context: context, ofKind: .consumer) { span in
            span.attributes["messaging.system"] = "rabbitmq"
            span.attributes["messaging.operation.name"] = "process"
            span.attributes["messaging.operation.type"] = "process"
            span.attributes["messaging.destination.name"] = MessagingName.destination(
                exchange: delivery.exchange,
                routingKey: delivery.routingKey,
                queue: delivery.queue
            )
            if EntityName.isServerNamed(delivery.queue) { span.attributes["messaging.destination.anonymous"] = true }
            span.attributes["messaging.rabbitmq.message.delivery_tag"] = Int64(clamping: delivery.deliveryTag)
            Self.describe(delivery.message, delivery.routingKey, on: span)
            return try await noting(span, handle)
        }
    }

    /// What a span is called after: few names, where each message may have a key of its own.
    private static func target(_ exchange: String, _ routingKey: String) -> String {
        if !exchange.isEmpty { return exchange }
        return routingKey.isEmpty || routingKey.hasPrefix("amq.") ? MessagingName.defaultExchange : routingKey
    }

    private static func describe(_ message: Message, _ routingKey: String, on span: any Span) {
        if !routingKey.isEmpty { span.attributes["messaging.rabbitmq.destination.routing_key"] = routingKey }
        span.attributes["messaging.message.body.size"] = message.body.count
        if let id = message.messageID { span.attributes["messaging.message.id"] = id }
        if let id = message.correlationID { span.attributes["messaging.message.conversation_id"] = id }
    }
}

/// Notes the kind of an error, which the span's end notes whole, and that the span has failed: without a status it counts as
/// one that went well, whatever errors are noted on it.
private func noting<Result>(_ span: any Span, _ body: () async throws -> Result) async throws -> Result {
    do {
        return try await body()
    } catch {
        span.attributes["error.type"] = MessagingName.errorType(error)
        span.setStatus(SpanStatus(code: .error, message: String(describing: error).printable()))
        throw error
    }
}
#endif
