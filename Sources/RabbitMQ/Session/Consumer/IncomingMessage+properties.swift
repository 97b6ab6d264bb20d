#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

// By their names, though `subscript(dynamicMember:)` would find them too: through that, each reading makes a key path first,
// and applies it, as the program runs.
extension IncomingMessage {
    /// The headers, by which a headers exchange routes, and in which brokers and applications leave notes; nil if the message
    /// has none.
    public var headers: FieldTable? { message.headers }

    /// One of the ``headers``; nil if the message has none of this name: see ``Message/header(_:)``.
    ///
    /// - Parameter name: The header's name, as it was written.
    public func header(_ name: String) -> FieldValue? { message.header(name) }

    /// The MIME type of the body, such as `application/json`; nil if the message does not say.
    public var contentType: String? { message.contentType }

    /// The MIME encoding of the body, such as `utf-8` or `gzip`; nil if the message does not say.
    ///
    /// ``text()``, ``json()`` and ``decode(_:decoder:)`` go by it.
    public var contentEncoding: String? { message.contentEncoding }

    /// Whether the message survives a restart of the broker; nil means that it does not.
    public var deliveryMode: DeliveryMode? { message.deliveryMode }

    /// The priority for queues that have priorities: see ``Message/priority``; nil if the message has none.
    public var priority: UInt8? { message.priority }

    /// The request that the message answers, for applications; nil if there is none.
    ///
    /// Some use raw bytes: read them with `amqpBytes`.
    public var correlationID: String? { message.correlationID }

    /// The queue for answers, for applications and for RabbitMQ's direct reply-to; nil if none is wanted.
    public var replyTo: String? { message.replyTo }

    /// How long the message may have waited in a queue, in milliseconds as decimal text; nil without a limit. The property
    /// `timeToLive` is the same as a duration.
    public var expiration: String? { message.expiration }

    /// A unique name of the message, for applications; nil if it has none.
    public var messageID: String? { message.messageID }

    /// When the message was made, in whole seconds; nil if the message does not say.
    public var timestamp: Date? { message.timestamp }

    /// The type of the message, for applications; nil if it has none.
    public var type: String? { message.type }

    /// The user who published; nil if the message does not say. RabbitMQ refuses a name other than the publisher's
    /// connection's.
    public var userID: String? { message.userID }

    /// The application that published, for applications; nil if the message does not say.
    public var appID: String? { message.appID }
}
