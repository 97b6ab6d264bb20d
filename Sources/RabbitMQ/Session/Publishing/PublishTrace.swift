/// What the broker may name of a message over which it closes the channel.
struct PublishTrace: Sendable {
    let exchange: String
    /// nil if it was not kept.
    var routingKey: String?
    /// The size of its body.
    let size: Int
    /// With its user id and its expiration.
    let extras: MessageExtras?
}

/// Finds the message over which the broker has closed a channel. It names none by its number; of those before it some may
/// have arrived, those behind it have not, and which are which is not known.
///
/// What RabbitMQ says: `rabbit_channel`, `rabbit_basic`, `rabbit_misc`.
struct PublishBlame {
    private let text: String

    /// - Returns: nil if the error was not caused by publishing.
    init?(_ error: AMQPError) {
        guard error.method == .basicPublish, let text = error.replyText, !error.isConnectionFatal else { return nil }
        self.text = text
    }

    /// Finds the first message that the text fits; where it says nothing that tells messages apart, the only one there is.
    ///
    /// - Parameter traces: Those that are not confirmed, in order.
    func find(in traces: [PublishTrace]) -> Int? {
        let index = traces.firstIndex { names($0) == true }
        return index ?? (traces.count == 1 && names(traces[0]) == nil ? 0 : nil)
    }

    /// - Returns: nil if the text doesn't say.
    private func names(_ trace: PublishTrace) -> Bool? {
        if text.contains("exchange '") {
            return namesExchange(trace.exchange) ? namesTopic(trace.routingKey) : false
        }
        if let size = number(behind: "message size ") { return trace.size == size }
        let values = trace.extras?.plain
        if text.contains("user_id ") { return values?.userID.map { text.contains("set to '\($0)' but") } ?? false }
        if text.contains("expiration '") {
            return values?.expiration.map { text.contains("expiration '\($0)'") } ?? false
        }
        return nil
    }

    private func namesExchange(_ exchange: String) -> Bool {
        // RabbitMQ's name for the default exchange where permissions are concerned.
        if exchange.isEmpty { return text.names("exchange", "amq.default") || text.names("exchange", "") }
        return text.names("exchange", exchange)
    }

    private func namesTopic(_ routingKey: String?) -> Bool? {
        guard text.contains("topic '") else { return true }
        return routingKey.map { text.contains("topic '\($0)'") }
    }

    private func number(behind prefix: String) -> Int? {
        guard let range = text.firstRange(of: prefix) else { return nil }
        return Int(text[range.upperBound...].prefix { $0.isNumber })
    }
}

extension MessageExtras {
    /// Whether it has properties that ``PublishBlame`` looks for.
    var isNamedByBroker: Bool { plain.userID != nil || plain.expiration != nil }
}

extension MethodID {
    static let basicPublish = MethodID(classID: 60, methodID: 40)
}
