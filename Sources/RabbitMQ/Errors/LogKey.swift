/// The keys of what is logged. Who searches logs relies on them: one word for one thing, wherever it is logged.
enum LogKey {
    static let age = "age"
    static let broker = "broker"
    static let bytes = "bytes"
    static let channel = "channel"
    static let consumerTag = "consumer-tag"
    static let consumerTimeout = "consumer-timeout"
    static let correlationID = "correlation-id"
    static let deliveryTag = "delivery-tag"
    static let disposition = "disposition"
    static let endpoint = "endpoint"
    static let error = "error"
    static let nextTryIn = "next-try-in"
    static let queue = "queue"
    static let reason = "reason"
    static let replyTo = "reply-to"
    static let unsentBytes = "unsent-bytes"
}
