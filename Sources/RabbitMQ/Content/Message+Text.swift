#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

extension Message {
    /// Makes a message of text.
    ///
    /// - Parameters:
    ///   - text: The content.
    ///   - headers: Headers, by which a headers exchange routes and which applications may define.
    ///   - contentType: The MIME type of the body; `application/octet-stream` by default.
    ///   - contentEncoding: The text encoding of the body, by its IANA name; `identity`, `7bit`, `8bit`, `binary` and the
    ///     empty name mean UTF-8. All but UTF-8, UTF-16, UTF-32, ASCII, ISO 8859-1 and windows-1252 need the package's
    ///     trait `TextEncodings`.
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
    /// - Throws: An ``AMQPError`` with ``AMQPError/Code/encodingFailed`` if the encoding is unknown or lacks a
    ///   character.
    public init(
        _ text: String,
        headers: FieldTable? = nil,
        contentType: String? = nil,
        contentEncoding: String = "utf-8",
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
    ) throws(AMQPError) {
        self.init(
            bytes: try TextEncoding.encode(text, as: contentEncoding),
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

    /// The body as text, decoded with ``contentEncoding``, or with UTF-8 if there is none or one that leaves bytes as they
    /// are (`identity`, `7bit`, `8bit`, `binary`, the empty one).
    ///
    /// A compressed body is to be decompressed first: the error says with what it was compressed.
    ///
    /// - Throws: An ``AMQPError`` with ``AMQPError/Code/decodingFailed`` if the encoding is unknown or the bytes are
    ///   not text in it.
    public func text() throws(AMQPError) -> String {
        try TextEncoding.decode(body, as: contentEncoding ?? "utf-8")
    }
}
