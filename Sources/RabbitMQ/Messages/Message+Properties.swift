#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

// Short strings hold at most 255 bytes; publishing refuses a message with a longer one.
extension Message {
    /// Headers, by which a headers exchange routes and which applications may define.
    ///
    /// Of headers that come nested deeper than 32 levels, what is deeper is left out: there is no value in its place
    /// (``FieldValue/void``). A message that is published as it came has all of them.
    public var headers: FieldTable? {
        get { extras?.headers }
        set { updateExtras { $0.headers = newValue } }
    }

    /// One of the ``headers``; nil if the message has none of this name.
    ///
    /// The headers of a message that came are decoded when they are first read, all of them: where few of many are of
    /// interest, this spares that.
    ///
    /// - Parameter name: The header's name, as it was written.
    public func header(_ name: String) -> FieldValue? { extras?.header(name) }

    /// The MIME encoding of the body, such as `utf-8` or `gzip`; for applications.
    public var contentEncoding: String? {
        get { extras?.plain.contentEncoding }
        set { updateTexts { $0.contentEncoding = newValue } }
    }

    /// The request that this message answers; for applications.
    ///
    /// Some use raw bytes: read them with `amqpBytes`, and make them text with `String(amqpBytes:)`.
    public var correlationID: String? {
        get { extras?.plain.correlationID }
        set { updateTexts { $0.correlationID = newValue } }
    }

    /// The queue for answers; for applications, and for RabbitMQ's direct reply-to.
    public var replyTo: String? {
        get { extras?.plain.replyTo }
        set { updateTexts { $0.replyTo = newValue } }
    }

    /// How long the message may wait in a queue, in milliseconds as decimal text; see ``timeToLive``.
    public var expiration: String? {
        get { extras?.plain.expiration }
        set { updateTexts { $0.expiration = newValue } }
    }

    /// A unique name of the message; for applications.
    public var messageID: String? {
        get { extras?.plain.messageID }
        set { updateTexts { $0.messageID = newValue } }
    }

    /// The type of the message; for applications.
    public var type: String? {
        get { extras?.plain.type }
        set { updateTexts { $0.type = newValue } }
    }

    /// The user who published; RabbitMQ refuses a name other than the connection's.
    public var userID: String? {
        get { extras?.plain.userID }
        set { updateTexts { $0.userID = newValue } }
    }

    /// The application that published; for applications.
    public var appID: String? {
        get { extras?.plain.appID }
        set { updateTexts { $0.appID = newValue } }
    }

    /// When the message was made, in whole seconds: the fraction of a date is cut.
    ///
    /// A date before 1970 becomes the start of 1970, one that is not a number too, and one beyond the largest
    /// timestamp becomes that.
    public var timestamp: Date? {
        get { timestampSeconds.map(AMQPTimestamp.date(ofSeconds:)) }
        set { timestampSeconds = newValue.map(AMQPTimestamp.seconds(of:)) }
    }

    /// Sets one header, or takes it out; without any, there is no table of them.
    mutating func setHeader(_ name: String, _ value: FieldValue?) {
        var table = headers ?? [:]
        table[name] = value
        headers = table.isEmpty ? nil : table
    }

    /// Changes the rarer properties but the headers, several of them at the price of one.
    mutating func updateTexts(_ update: (inout MessageExtras.Values) -> Void) {
        extras = MessageExtras.box(extras, update)
    }

    /// Changes the rarer properties, several of them at the price of one. Headers that came encoded are decoded for it.
    mutating func updateExtras(_ update: (inout MessageExtras.Values) -> Void) {
        var values = extras?.values ?? MessageExtras.Values()
        update(&values)
        extras = MessageExtras.box(values)
    }
}
