#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// A message: a body of bytes and the properties that AMQP sends with it.
///
/// Make one of bytes, of text, of a JSON value or of anything `Encodable`, and publish it on an ``Exchange``:
///
/// ```swift
/// let greeting = try Message("hello, world")
/// let order = try Message(encoding: Order(id: 17), deliveryMode: .persistent)
/// ```
///
/// A property that is nil is absent on the wire. Two messages are equal if their bodies and all of their properties
/// are. A property that came as bytes which are not UTF-8 keeps these (`String.amqpBytes`), and a message that is sent on
/// has them again. The properties are those of AMQP 0-9-1, section 1.8 ("basic"); brokers look at ``deliveryMode``, ``priority``,
/// ``expiration``, ``userID``, some of the ``headers``, and pass the others on.
public struct Message: Sendable, Hashable {
    /// The content, as it goes over the wire.
    public var body: [UInt8]

    /// The MIME type of the body, such as `application/json`; at most 255 bytes of UTF-8.
    public var contentType: String?

    /// Whether the message survives a restart of the broker; absent means transient.
    public var deliveryMode: DeliveryMode?

    /// The priority for queues that have priorities.
    ///
    /// A classic queue has the priorities from 0 to its ``QueueArguments/maxPriority``. Without a priority a message counts as
    /// 0, with a higher one as the maximum.
    ///
    /// A quorum queue needs no argument. From RabbitMQ 4.3 on it has the priorities from 0 to 31, and delivers a higher one
    /// always before a lower one; without a priority a message counts as 4, with a higher one as 31. In 4.0 to 4.2 it has only
    /// two, up to 4 and above 4, and delivers two messages of the higher one for each of the lower one.
    ///
    /// RabbitMQ: [Priorities](https://www.rabbitmq.com/docs/quorum-queues#priorities),
    /// [of classic queues](https://www.rabbitmq.com/docs/priority).
    public var priority: UInt8?

    /// The time stamp in seconds since 1970, as it goes over the wire.
    package var timestampSeconds: UInt64?

    // `Optional<...>`, not `...?`: with the question mark the initializer that the compiler makes would have a default for it,
    // and a call like `Message(body: bytes)` would pick that one and not the public initializer.
    // swift-format-ignore: UseShorthandTypeNames
    /// The rarer properties; nil if none of them is set.
    var extras: Optional<MessageExtras>
}

// In an extension, so that all end in the initializer that the compiler makes: one written by hand copies the whole message
// once more when it is done.
extension Message {
    /// Makes a message of bytes: of an array, or of any other sequence of them, such as a `Data`, an `ArraySlice` or a
    /// `ByteBufferView`.
    ///
    /// - Parameters:
    ///   - body: The content. An array is shared, anything else is copied.
    ///   - headers: Headers, by which a headers exchange routes and which applications may define.
    ///   - contentType: The MIME type of the body; `application/octet-stream` by default.
    ///   - contentEncoding: The MIME encoding of the body, such as `utf-8` or `gzip`.
    ///   - deliveryMode: Whether the message survives a restart of the broker; absent means transient.
    ///   - priority: The priority for queues that have priorities.
    ///   - correlationID: The request that this message answers, for applications.
    ///   - replyTo: The queue for answers, for applications.
    ///   - expiration: How long the message may wait in a queue, in milliseconds as decimal text.
    ///   - messageID: A unique name of the message, for applications.
    ///   - timestamp: When the message was made, in whole seconds; now by default.
    ///   - type: The type of the message, for applications.
    ///   - userID: The user who publishes; RabbitMQ refuses a name other than the connection's.
    ///   - appID: The application that publishes, for applications.
    @inlinable
    public init(
        body: some Sequence<UInt8>,
        headers: FieldTable? = nil,
        contentType: String? = nil,
        contentEncoding: String? = nil,
        deliveryMode: DeliveryMode? = nil,
        priority: UInt8? = nil,
        correlationID: String? = nil,
        replyTo: String? = nil,
        expiration: String? = nil,
        messageID: String? = nil,
        timestamp: Date? = Message.currentSecond,
        type: String? = nil,
        userID: String? = nil,
        appID: String? = nil
    ) {
        // In the caller's module: an array costs no generic call there.
        self.init(
            bytes: Array(body),
            headers: headers,
            contentType: contentType,
            contentEncoding: contentEncoding,
            deliveryMode: deliveryMode,
            priority: priority,
            correlationID: correlationID,
            replyTo: replyTo,
            expiration: expiration,
            messageID: messageID,
            timestamp: timestamp,
            type: type,
            userID: userID,
            appID: appID
        )
    }

    @usableFromInline
    init(
        bytes: [UInt8],
        headers: FieldTable?,
        contentType: String?,
        contentEncoding: String?,
        deliveryMode: DeliveryMode?,
        priority: UInt8?,
        correlationID: String?,
        replyTo: String?,
        expiration: String?,
        messageID: String?,
        timestamp: Date?,
        type: String?,
        userID: String?,
        appID: String?
    ) {
        // Most messages have none of these, and are made without looking at each.
        let hasExtras =
            headers != nil || contentEncoding != nil || correlationID != nil || replyTo != nil || expiration != nil
            || messageID != nil || type != nil || userID != nil || appID != nil
        let extras =
            hasExtras
            ? MessageExtras.box(
                MessageExtras.Values(
                    headers: headers,
                    contentEncoding: contentEncoding,
                    correlationID: correlationID,
                    replyTo: replyTo,
                    expiration: expiration,
                    messageID: messageID,
                    type: type,
                    userID: userID,
                    appID: appID
                )
            ) : nil
        self.init(
            body: bytes,
            contentType: contentType ?? "application/octet-stream",
            deliveryMode: deliveryMode,
            priority: priority,
            timestampSeconds: timestamp.map(AMQPTimestamp.seconds(of:)),
            extras: extras
        )
    }
}

extension Message: CustomStringConvertible {
    /// The size of the body and its type; neither content nor headers.
    public var description: String {
        "Message(\(body.count) bytes, \(contentType.map { "\"\($0.printable())\"" } ?? "no content type"))"
    }
}
