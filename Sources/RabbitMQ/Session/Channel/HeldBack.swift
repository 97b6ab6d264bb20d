/// What is sent when the broker has answered a commit.
enum HeldBack: Equatable, Sendable {
    case rejection(Rejection)
    case method(ClientMethod)
}

/// A rejection to be written.
struct Rejection: Equatable, Sendable {
    let tag: UInt64
    let requeue: Bool
    let multiple: Bool
    /// Whether to send RabbitMQ's basic.nack, which knows `multiple`, or AMQP's basic.reject.
    let usesNack: Bool
}
