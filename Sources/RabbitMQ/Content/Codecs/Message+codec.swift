#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

extension Message {
    /// Makes a message of a value, in the format of an encoder.
    ///
    /// - Parameters:
    ///   - value: The content.
    ///   - encoder: Gives the body, its content type and its content encoding.
    ///   - headers: Headers, by which a headers exchange routes and which applications may define.
    ///   - deliveryMode: Whether the message survives a restart of the broker; absent means transient.
    ///   - priority: The priority for queues that have priorities.
    ///   - correlationID: The request that this message answers, for applications.
    ///   - replyTo: The queue for answers, for applications.
    ///   - expiration: How long the message may wait in a queue, in milliseconds as decimal text.
    ///   - messageID: A unique name of the message, for applications.
    ///   - timestamp: When the message was made, in whole seconds; now by default.
    ///   - type: The type of the message, by which ``MessageDecoders`` find a decoder.
    ///   - userID: The user who publishes; RabbitMQ refuses a name other than the connection's.
    ///   - appID: The application that publishes, for applications.
    /// - Throws: An ``AMQPError`` with ``AMQPError/Code/encodingFailed``; ``AMQPError/underlying`` keeps the encoder's error.
    public init<Encoder: MessageEncoder>(
        encoding value: Encoder.Value,
        using encoder: Encoder,
        headers: FieldTable? = nil,
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
        let body: [UInt8]
        do {
            body = try encoder.encode(value)
        } catch let error as AMQPError {
            throw error
        } catch {
            throw AMQPError(.encodingFailed, "the value cannot be encoded as \(encoder.contentType)", underlying: error)
        }
        self.init(
            bytes: body,
            headers: headers,
            contentType: encoder.contentType,
            contentEncoding: encoder.contentEncoding,
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

    /// The value in the message, decoded by a decoder.
    ///
    /// - Parameter decoder: The decoder.
    /// - Returns: The value.
    /// - Throws: An ``AMQPError`` with ``AMQPError/Code/decodingFailed``; ``AMQPError/underlying`` keeps the decoder's error.
    public func decode<Value>(using decoder: some MessageDecoder<Value>) throws(AMQPError) -> Value {
        do {
            return try decoder.decode(self)
        } catch let error as AMQPError {
            throw error
        } catch {
            throw AMQPError(.decodingFailed, "the body is not one of \(Value.self)", underlying: error)
        }
    }
}
