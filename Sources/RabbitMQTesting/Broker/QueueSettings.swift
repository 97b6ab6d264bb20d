internal import RabbitMQ

/// What a queue's arguments say.
struct QueueSettings: Equatable {
    enum Overflow { case dropHead, rejectPublish, rejectPublishAndDeadLetter }

    var isQuorum = false
    var messageTTL: Duration?
    var expires: Duration?
    var maxLength: Int?
    var maxLengthBytes: Int?
    var overflow = Overflow.dropHead
    var deadLetterExchange: String?
    var deadLetterRoutingKey: String?
    var maxPriority: Int?
    var deliveryLimit: Int?
    var hasSingleActiveConsumer = false

    /// RabbitMQ 4's own limit for quorum queues.
    static let usualDeliveryLimit = 20

    init(_ declared: Request.DeclareQueue) throws(Refusal) {
        let arguments = declared.arguments
        func refuse(_ key: String) -> Refusal {
            Refusal(.preconditionFailed, "invalid arg '\(key)' for queue '\(declared.name)' in vhost '/'")
        }
        func number(_ key: String, least: Int = 0) throws(Refusal) -> Int? {
            guard let value = arguments[key] else { return nil }
            guard let number = value.intValue, number >= least else { throw refuse(key) }
            return number
        }
        func text(_ key: String) throws(Refusal) -> String? {
            guard let value = arguments[key] else { return nil }
            guard let text = value.stringValue else { throw refuse(key) }
            return text
        }
        switch try text("x-queue-type") ?? "classic" {
        case "classic": break
        case "quorum":
            isQuorum = true
            guard declared.durable, !declared.exclusive else {
                throw Refusal(.preconditionFailed, "invalid property 'non-durable' or 'exclusive' for a quorum queue")
            }
        case "stream": throw Refusal(.preconditionFailed, "this broker has no streams")
        default: throw refuse("x-queue-type")
        }
        messageTTL = try number("x-message-ttl").map { .milliseconds($0) }
        expires = try number("x-expires", least: 1).map { .milliseconds($0) }
        maxLength = try number("x-max-length")
        maxLengthBytes = try number("x-max-length-bytes")
        switch try text("x-overflow") {
        case nil, "drop-head": break
        case "reject-publish": overflow = .rejectPublish
        case "reject-publish-dlx": overflow = .rejectPublishAndDeadLetter
        default: throw refuse("x-overflow")
        }
        deadLetterExchange = try text("x-dead-letter-exchange")
        deadLetterRoutingKey = try text("x-dead-letter-routing-key")
        if deadLetterRoutingKey != nil, deadLetterExchange == nil { throw refuse("x-dead-letter-routing-key") }
        if let most = try number("x-max-priority") {
            guard most <= 255 else { throw refuse("x-max-priority") }
            maxPriority = most
        }
        deliveryLimit = isQuorum ? try number("x-delivery-limit", least: -1) ?? Self.usualDeliveryLimit : nil
        if deliveryLimit == -1 { deliveryLimit = nil }
        hasSingleActiveConsumer = arguments["x-single-active-consumer"]?.boolValue == true
    }

    /// The priority that a message has in the queue.
    func priority(of message: Message) -> Int { maxPriority.map { min($0, Int(message.priority ?? 0)) } ?? 0 }

    /// Whether a message of so many bytes has no room behind those that are there.
    func isFull(_ messages: ReadyMessages, adding count: Int, bytes: Int) -> Bool {
        if let maxLength, messages.count + count > maxLength { return true }
        if let maxLengthBytes, messages.byteCount + bytes > maxLengthBytes { return true }
        return false
    }
}
