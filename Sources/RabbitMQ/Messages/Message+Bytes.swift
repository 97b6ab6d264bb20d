#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

extension Message {
    /// Makes a message of any sequence of bytes, such as a `Data`, an `ArraySlice` or a `ByteBufferView`.
    ///
    /// - Parameters:
    ///   - body: The content; it is copied.
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
    @_disfavoredOverload
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
        self.init(
            body: Array(body),
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
}
