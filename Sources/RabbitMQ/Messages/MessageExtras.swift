/// The properties of a message that most messages lack, in one allocation that is made only if one of them is set.
///
/// Immutable, so that messages can share it: a change makes a new one.
final class MessageExtras: Sendable, Hashable {
    /// All but headers that came encoded.
    let plain: Values
    private let encoded: EncodedHeaders?

    /// The headers as they came, if they can be sent on so.
    var sendableHeaders: EncodedHeaders? { encoded?.isSendable == true ? encoded : nil }

    /// All of them. Headers that came encoded are decoded for it.
    var values: Values {
        guard let encoded else { return plain }
        var values = plain
        values.headers = encoded.table
        return values
    }

    var headers: FieldTable? { encoded?.table ?? plain.headers }

    /// One header. Of those that came encoded the others are not decoded for it.
    func header(_ name: String) -> FieldValue? { encoded.map { $0.value(name) } ?? plain.headers?[name] }

    /// About how many bytes of memory they take.
    var footprint: Int { plain.footprint + (encoded?.footprint ?? 0) }

    struct Values: Sendable, Hashable {
        var headers: FieldTable?
        var contentEncoding: String?
        var correlationID: String?
        var replyTo: String?
        var expiration: String?
        var messageID: String?
        var type: String?
        var userID: String?
        var appID: String?

        init(
            headers: FieldTable? = nil,
            contentEncoding: String? = nil,
            correlationID: String? = nil,
            replyTo: String? = nil,
            expiration: String? = nil,
            messageID: String? = nil,
            type: String? = nil,
            userID: String? = nil,
            appID: String? = nil
        ) {
            self.headers = headers
            self.contentEncoding = contentEncoding
            self.correlationID = correlationID
            self.replyTo = replyTo
            self.expiration = expiration
            self.messageID = messageID
            self.type = type
            self.userID = userID
            self.appID = appID
        }

        var isEmpty: Bool {
            headers == nil && contentEncoding == nil && correlationID == nil && replyTo == nil && expiration == nil
                && messageID == nil && type == nil && userID == nil && appID == nil
        }
    }

    private init(_ values: Values) {
        plain = values
        encoded = nil
    }

    /// What came with headers that nobody has decoded yet; `values` is without them.
    init(_ values: Values, encoded headers: EncodedHeaders) {
        plain = values
        encoded = headers
    }

    /// The box of all messages of text or JSON in UTF-8 that have nothing else. It is made once, and those who publish see by
    /// it that the frames of such messages are alike.
    private static let utf8 = MessageExtras(Values(contentEncoding: "utf-8"))

    /// A box for `values`; nil if none of them is set.
    static func box(_ values: Values) -> MessageExtras? {
        if values.contentEncoding == "utf-8", values == utf8.plain { return utf8 }
        return values.isEmpty ? nil : MessageExtras(values)
    }

    /// A box for the values of another one after a change that has nothing to do with headers: those that came encoded stay so.
    static func box(_ extras: MessageExtras?, _ update: (inout Values) -> Void) -> MessageExtras? {
        var values = extras?.plain ?? Values()
        update(&values)
        guard let encoded = extras?.encoded else { return box(values) }
        return MessageExtras(values, encoded: encoded)
    }

    static func == (left: MessageExtras, right: MessageExtras) -> Bool {
        left.values == right.values
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(values)
    }
}
