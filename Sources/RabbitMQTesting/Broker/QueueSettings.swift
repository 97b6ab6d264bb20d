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

    /// The longest time to live in milliseconds: ten years.
    static let longestLife = 315_360_000_000

    private static let sharedArguments: Set<String> = [
        "x-expires", "x-message-ttl", "x-dead-letter-exchange", "x-dead-letter-routing-key", "x-max-length",
        "x-max-length-bytes", "x-overflow", "x-single-active-consumer", "x-queue-type", "x-queue-leader-locator",
    ]
    private static let classicArguments: Set<String> = sharedArguments.union([
        "x-max-priority", "x-queue-mode", "x-queue-version", "x-queue-master-locator",
    ])
    private static let quorumArguments: Set<String> = sharedArguments.union([
        "x-dead-letter-strategy", "x-max-in-memory-length", "x-max-in-memory-bytes", "x-quorum-initial-group-size",
        "x-delivery-limit",
    ])
    private static let streamArguments: Set<String> = [
        "x-max-age", "x-stream-max-segment-size-bytes", "x-initial-cluster-size",
    ]
    private static let allArguments = classicArguments.union(quorumArguments).union(streamArguments)

    /// The arguments that a queue of the type has; RabbitMQ refuses those of other types, and passes over any others.
    var knownArguments: Set<String> { isQuorum ? Self.quorumArguments : Self.classicArguments }

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
        func time(_ key: String, least: Int) throws(Refusal) -> Duration? {
            guard let milliseconds = try number(key, least: least) else { return nil }
            guard milliseconds <= Self.longestLife else { throw refuse(key) }
            return .milliseconds(milliseconds)
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
            guard declared.durable, !declared.exclusive, !declared.autoDelete else {
                throw Refusal(
                    .preconditionFailed,
                    "invalid property 'non-durable', 'exclusive' or 'auto-delete' for a quorum queue"
                )
            }
        case "stream": throw Refusal(.preconditionFailed, "this broker has no streams")
        default: throw refuse("x-queue-type")
        }
        let known = knownArguments
        for key in arguments.keys.sorted() where Self.allArguments.contains(key) && !known.contains(key) {
            throw refuse(key)
        }
        messageTTL = try time("x-message-ttl", least: 0)
        expires = try time("x-expires", least: 1)
        maxLength = try number("x-max-length")
        maxLengthBytes = try number("x-max-length-bytes")
        switch try text("x-overflow") {
        case nil, "drop-head": break
        case "reject-publish": overflow = .rejectPublish
        // A quorum queue passes over it.
        case "reject-publish-dlx": overflow = isQuorum ? .dropHead : .rejectPublishAndDeadLetter
        default: throw refuse("x-overflow")
        }
        deadLetterExchange = try text("x-dead-letter-exchange")
        deadLetterRoutingKey = try text("x-dead-letter-routing-key")
        if deadLetterRoutingKey != nil, deadLetterExchange == nil { throw refuse("x-dead-letter-routing-key") }
        if let most = try number("x-max-priority") {
            guard most <= 255 else { throw refuse("x-max-priority") }
            maxPriority = most
        }
        if isQuorum {
            // Any negative number is no limit.
            let limit = try number("x-delivery-limit", least: .min) ?? Self.usualDeliveryLimit
            deliveryLimit = limit < 0 ? nil : limit
        }
        if let value = arguments["x-single-active-consumer"] {
            guard let isOn = value.boolValue else { throw refuse("x-single-active-consumer") }
            hasSingleActiveConsumer = isOn
        }
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
