#if MetricsSupport || DistributedTracingSupport
/// How OpenTelemetry's conventions have destinations and errors called.
///
/// OpenTelemetry: [RabbitMQ](https://opentelemetry.io/docs/specs/semconv/messaging/rabbitmq/).
enum MessagingName {
    /// What the default exchange is called, which has no name.
    static let defaultExchange = "amq.default"

    /// A destination: of exchange, routing key and queue those that are there, and the queue only if the key is another.
    static func destination(exchange: String, routingKey: String, queue: String = "") -> String {
        let parts = [exchange, routingKey, queue == routingKey ? "" : queue].filter { !$0.isEmpty }
        return parts.isEmpty ? defaultExchange : parts.joined(separator: ":")
    }

    /// What spans and timers are called after: few names, where the broker makes up another one with each declaration, and so
    /// with each recovery.
    static func ofFew(queue: String) -> String { EntityName.isServerNamed(queue) ? "amq.gen" : queue }

    /// What distinguishes errors: the code of one of the library's, the type of any other.
    static func errorType(_ error: any Error) -> String {
        (error as? AMQPError).map { $0.code.description } ?? name(String(reflecting: type(of: error)))
    }

    /// The name of a type as it is the same whenever the process runs: where it is private, or within a function, Swift tells
    /// of its context only where that is in memory.
    private static func name(_ reflected: String) -> String {
        reflected.split(separator: ".", omittingEmptySubsequences: false)
            .filter { !$0.hasPrefix("(unknown context at ") }
            .joined(separator: ".")
    }
}
#endif
