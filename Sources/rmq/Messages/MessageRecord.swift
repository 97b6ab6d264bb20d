#if Tool
internal import Foundation
internal import RabbitMQ

/// A message as a line of JSON, which `publish --ndjson` takes as it comes from `consume --json`.
struct MessageRecord: Codable {
    var exchange: String?
    var routingKey: String?
    var redelivered: Bool?
    /// The body, if it is UTF-8.
    var body: String?
    /// The body otherwise.
    var bodyBase64: String?
    var headers: FieldTable?
    var contentType: String?
    var contentEncoding: String?
    var persistent: Bool?
    var priority: UInt8?
    var correlationID: String?
    var replyTo: String?
    var expiration: String?
    var messageID: String?
    /// In seconds since 1970.
    var timestamp: Int64?
    var type: String?
    var userID: String?
    var appID: String?

    // Written out: header names must stay as they are, which a strategy for keys would change too.
    private enum CodingKeys: String, CodingKey {
        case exchange, redelivered, body, headers, persistent, priority, expiration, timestamp, type
        case routingKey = "routing_key"
        case bodyBase64 = "body_base64"
        case contentType = "content_type"
        case contentEncoding = "content_encoding"
        case correlationID = "correlation_id"
        case replyTo = "reply_to"
        case messageID = "message_id"
        case userID = "user_id"
        case appID = "app_id"
    }

    init(_ incoming: IncomingMessage) {
        self.init(incoming.message)
        exchange = incoming.exchangeName
        routingKey = incoming.routingKey
        redelivered = incoming.redelivered
    }

    init(_ message: Message) {
        if let text = String(validating: message.body, as: UTF8.self) {
            body = text
        } else {
            bodyBase64 = Data(message.body).base64EncodedString()
        }
        headers = message.headers
        contentType = message.contentType
        contentEncoding = message.contentEncoding
        persistent = message.deliveryMode.map { $0 == .persistent }
        priority = message.priority
        correlationID = message.correlationID
        replyTo = message.replyTo
        expiration = message.expiration
        messageID = message.messageID
        // A sender can write any number.
        timestamp = message.timestamp.map { Int64(exactly: $0.timeIntervalSince1970.rounded(.down)) ?? .max }
        type = message.type
        userID = message.userID
        appID = message.appID
    }

    /// The message that it describes.
    func message() throws -> Message {
        let bytes: [UInt8]
        switch (body, bodyBase64) {
        case (let body, nil): bytes = Array((body ?? "").utf8)
        case (nil, let text?):
            guard let data = Data(base64Encoded: text) else { throw ToolError("body_base64 is no base64") }
            bytes = Array(data)
        default: throw ToolError("there are a body and a body_base64")
        }
        var message = Message(
            body: bytes,
            headers: headers,
            contentType: contentType,
            contentEncoding: contentEncoding,
            deliveryMode: persistent.map { $0 ? .persistent : .transient },
            priority: priority,
            correlationID: correlationID,
            replyTo: replyTo,
            expiration: expiration,
            messageID: messageID,
            timestamp: timestamp.map { Date(timeIntervalSince1970: Double($0)) },
            type: type,
            userID: userID,
            appID: appID
        )
        message.contentType = contentType
        return message
    }

    /// As one line.
    func line() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // JSON has no words for these. A header may hold one: it must not be what ends a command, whenever it is run.
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf",
            negativeInfinity: "-inf",
            nan: "nan"
        )
        return Terminal.harmlessJSON(try encoder.encode(self))
    }
}
#endif
