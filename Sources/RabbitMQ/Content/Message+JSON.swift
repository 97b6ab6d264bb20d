#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

extension Message {
    /// Makes a message of a JSON value, for content whose shape has no Swift type.
    ///
    /// ```swift
    /// let message = try Message(json: ["id": 17, "tags": ["new", nil]])
    /// ```
    ///
    /// - Parameters:
    ///   - value: The content.
    ///   - headers: Headers, by which a headers exchange routes and which applications may define.
    ///   - contentType: The MIME type of the body; `application/json` by default.
    ///   - contentEncoding: The text encoding of the body, by its IANA name.
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
    /// - Throws: An ``AMQPError`` with ``AMQPError/Code/encodingFailed`` if a number is not finite,
    ///   the value nests deeper than 128 levels, or the text encoding is unknown or lacks a character.
    public init(
        json value: Message.JSON,
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
        guard value.nests(within: JSONBody.maxDepth) else {
            throw AMQPError(.encodingFailed, "the JSON value nests deeper than \(JSONBody.maxDepth) levels")
        }
        try self.init(
            encoding: value,
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

    /// Makes a message of a value, encoded as JSON.
    ///
    /// - Parameters:
    ///   - value: The content.
    ///   - encoder: The encoder for the value; if nil, one with Foundation's defaults, which is made once for all.
    ///   - headers: Headers, by which a headers exchange routes and which applications may define.
    ///   - contentType: The MIME type of the body; `application/json` by default.
    ///   - contentEncoding: The text encoding of the body, by its IANA name.
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
    /// - Throws: An ``AMQPError`` with ``AMQPError/Code/encodingFailed`` if the value refuses to be encoded, or the
    ///   text encoding is unknown or lacks a character; ``AMQPError/underlying`` keeps the encoder's error.
    public init(
        encoding value: some Encodable,
        encoder: JSONEncoder? = nil,
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
            bytes: try JSONBody.encode(value, with: encoder, as: contentEncoding),
            headers: headers,
            contentType: contentType ?? "application/json",
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

    /// The body as a JSON value, decoded with ``contentEncoding`` as ``text()`` is.
    ///
    /// Arrays and objects may nest 128 levels deep.
    ///
    /// - Throws: An ``AMQPError`` with ``AMQPError/Code/decodingFailed`` if the text encoding is unknown, the bytes are
    ///   not text in it, or the text is not JSON.
    public func json() throws(AMQPError) -> Message.JSON {
        try decode(Message.JSON.self)
    }

    /// The body as a value of `type`, decoded from JSON in ``contentEncoding``, as ``text()`` is.
    ///
    /// Arrays and objects may nest 128 levels deep.
    ///
    /// - Parameters:
    ///   - type: The type to decode.
    ///   - decoder: The decoder for the value; if nil, one with Foundation's defaults, which is made once for all.
    /// - Returns: The value.
    /// - Throws: An ``AMQPError`` with ``AMQPError/Code/decodingFailed`` if the text encoding is unknown, the bytes are
    ///   not text in it, or the text is not JSON of that type; ``AMQPError/underlying`` keeps the decoder's error.
    public func decode<T: Decodable>(
        _ type: T.Type = T.self,
        decoder: JSONDecoder? = nil
    ) throws(AMQPError) -> T {
        try JSONBody.decode(type, from: body, with: decoder, as: contentEncoding ?? "utf-8")
    }
}
