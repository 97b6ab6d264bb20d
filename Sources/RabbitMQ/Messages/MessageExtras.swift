/// The properties of a message that most messages lack, in one allocation that is made only if one of them is set.
///
/// Immutable, so that messages can share it: a change makes a new one.
final class MessageExtras: Sendable, Hashable {
    let values: Values

    struct Values: Sendable, Hashable {
        var headers: Table?
        var contentEncoding: String?
        var correlationId: String?
        var replyTo: String?
        var expiration: String?
        var messageId: String?
        var type: String?
        var userId: String?
        var appId: String?

        init(
            headers: Table? = nil,
            contentEncoding: String? = nil,
            correlationId: String? = nil,
            replyTo: String? = nil,
            expiration: String? = nil,
            messageId: String? = nil,
            type: String? = nil,
            userId: String? = nil,
            appId: String? = nil
        ) {
            self.headers = headers
            self.contentEncoding = contentEncoding
            self.correlationId = correlationId
            self.replyTo = replyTo
            self.expiration = expiration
            self.messageId = messageId
            self.type = type
            self.userId = userId
            self.appId = appId
        }

        var isEmpty: Bool {
            headers == nil && contentEncoding == nil && correlationId == nil && replyTo == nil && expiration == nil
                && messageId == nil && type == nil && userId == nil && appId == nil
        }
    }

    private init(_ values: Values) {
        self.values = values
    }

    /// A box for `values`; nil if none of them is set.
    static func box(_ values: Values) -> MessageExtras? {
        values.isEmpty ? nil : MessageExtras(values)
    }

    static func == (left: MessageExtras, right: MessageExtras) -> Bool {
        left.values == right.values
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(values)
    }
}
