internal import CRabbitMQ

/// A content header (AMQP 0-9-1, section 4.2.6.1): the properties of a message, and how long its body will be.
struct ContentHeader {
    var bodySize: UInt64
    /// The message as yet without its body.
    var message: Message
}

/// Decodes content headers.
struct HeaderDecoder {
    private var contentTypes = TextCache()

    private static let basicClass: UInt16 = 60
    /// class, weight, body size
    static let prefix = 12

    /// The size that a header says the body has; nil if there is none to be read.
    @inline(__always)
    static func bodySize(_ bytes: UnsafeRawBufferPointer, _ payload: Range<Int>) -> UInt64? {
        payload.count >= prefix ? bytes.bigEndian(UInt64.self, at: payload.lowerBound + 4) : nil
    }

    /// Whether a header, which is long enough, is that of a message.
    @inline(__always)
    static func isOfClass(_ payload: UnsafeRawBufferPointer) -> Bool {
        payload.bigEndian(UInt16.self, at: 0) == basicClass
    }

    @inline(__always)
    mutating func header(_ payload: UnsafeRawBufferPointer) throws(AMQPError) -> ContentHeader {
        let properties = try properties(payload)
        return ContentHeader(
            bodySize: Self.bodySize(payload, 0..<payload.count) ?? 0,
            message: message(properties, body: UnsafeRawBufferPointer(start: nil, count: 0))
        )
    }

    /// Properties, valid as long as the header is.
    struct Properties {
        fileprivate let contentType: UnsafeBufferPointer<UInt8>?
        fileprivate let deliveryMode: DeliveryMode?
        fileprivate let priority: UInt8?
        fileprivate let timestamp: UInt64?
        fileprivate let extras: MessageExtras?
    }

    /// The properties in a header: flags that say which there are, then these, in this order (sections 4.2.6.1 and 1.8).
    @inline(__always)
    func properties(_ payload: UnsafeRawBufferPointer) throws(AMQPError) -> Properties {
        guard payload.count >= Self.prefix + 2, Self.isOfClass(payload) else {
            throw AMQPError(.protocolViolation, "a content header that is not of the class basic")
        }
        var reader = PropertyReader(payload, from: Self.prefix)
        // More flags would follow.
        guard reader.flags & 1 == 0 else { throw PropertyReader.malformed }
        let contentType = try reader.short(AMQP_BASIC_CONTENT_TYPE_FLAG)
        let contentEncoding = try reader.text(AMQP_BASIC_CONTENT_ENCODING_FLAG)
        let headers = try reader.headers()
        let deliveryMode = try reader.number(UInt8.self, AMQP_BASIC_DELIVERY_MODE_FLAG)
        let priority = try reader.number(UInt8.self, AMQP_BASIC_PRIORITY_FLAG)
        let correlationID = try reader.text(AMQP_BASIC_CORRELATION_ID_FLAG)
        let replyTo = try reader.text(AMQP_BASIC_REPLY_TO_FLAG)
        let expiration = try reader.text(AMQP_BASIC_EXPIRATION_FLAG)
        let messageID = try reader.text(AMQP_BASIC_MESSAGE_ID_FLAG)
        let timestamp = try reader.number(UInt64.self, AMQP_BASIC_TIMESTAMP_FLAG)
        let type = try reader.text(AMQP_BASIC_TYPE_FLAG)
        let userID = try reader.text(AMQP_BASIC_USER_ID_FLAG)
        let appID = try reader.text(AMQP_BASIC_APP_ID_FLAG)
        // Of old specifications; nobody gets it.
        _ = try reader.short(AMQP_BASIC_CLUSTER_ID_FLAG)
        var extras: MessageExtras?
        if UInt32(reader.flags) & Self.rarer != 0 {
            let values = MessageExtras.Values(
                contentEncoding: contentEncoding,
                correlationID: correlationID,
                replyTo: replyTo,
                expiration: expiration,
                messageID: messageID,
                type: type,
                userID: userID,
                appID: appID
            )
            extras = headers.map { MessageExtras(values, encoded: $0) } ?? MessageExtras.box(values)
        }
        return Properties(
            contentType: contentType,
            deliveryMode: deliveryMode.map { DeliveryMode(rawValue: $0) },
            priority: priority,
            timestamp: timestamp,
            extras: extras
        )
    }

    /// Those that a message keeps in its box of rarer properties.
    private static let rarer = UInt32(
        AMQP_BASIC_CONTENT_ENCODING_FLAG | AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_CORRELATION_ID_FLAG
            | AMQP_BASIC_REPLY_TO_FLAG | AMQP_BASIC_EXPIRATION_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG
            | AMQP_BASIC_TYPE_FLAG | AMQP_BASIC_USER_ID_FLAG | AMQP_BASIC_APP_ID_FLAG
    )

    /// The message that properties and a body make.
    @inline(__always)
    mutating func message(
        _ properties: Properties,
        body: UnsafeRawBufferPointer
    ) -> Message {
        let contentType = properties.contentType.map { contentTypes.text($0) }
        return Message(
            body: [UInt8](copying: body),
            contentType: contentType,
            deliveryMode: properties.deliveryMode,
            priority: properties.priority,
            timestampSeconds: properties.timestamp,
            extras: properties.extras
        )
    }
}

/// Reads properties one after the other, as far as the flags say that they are there.
private struct PropertyReader {
    let flags: UInt16
    private let bytes: UnsafeRawBufferPointer
    private var offset: Int

    static var malformed: AMQPError { AMQPError(.protocolViolation, "malformed message properties") }

    /// - Parameter start: Where the flags are, which the caller has checked.
    init(_ bytes: UnsafeRawBufferPointer, from start: Int) {
        self.bytes = bytes
        flags = bytes.bigEndian(UInt16.self, at: start)
        offset = start + 2
    }

    @inline(__always)
    private func has(_ flag: CInt) -> Bool { UInt32(flags) & UInt32(flag) != 0 }

    @inline(__always)
    mutating func number<Number: FixedWidthInteger>(
        _ type: Number.Type,
        _ flag: CInt
    ) throws(AMQPError) -> Number? {
        guard has(flag) else { return nil }
        guard MemoryLayout<Number>.size <= bytes.count - offset else { throw Self.malformed }
        let number = bytes.bigEndian(type, at: offset)
        offset += MemoryLayout<Number>.size
        return number
    }

    /// The bytes of a short string.
    @inline(__always)
    mutating func short(_ flag: CInt) throws(AMQPError) -> UnsafeBufferPointer<UInt8>? {
        guard has(flag) else { return nil }
        guard offset < bytes.count, let base = bytes.baseAddress else { throw Self.malformed }
        let size = Int(bytes[offset])
        guard size < bytes.count - offset else { throw Self.malformed }
        let text = (base + offset + 1).assumingMemoryBound(to: UInt8.self)
        offset += 1 + size
        return UnsafeBufferPointer(start: text, count: size)
    }

    @inline(__always)
    mutating func text(_ flag: CInt) throws(AMQPError) -> String? {
        guard let bytes = try short(flag) else { return nil }
        return String(wire: bytes)
    }

    /// The headers, as they are.
    @inline(__always)
    mutating func headers() throws(AMQPError) -> EncodedHeaders? {
        guard has(AMQP_BASIC_HEADERS_FLAG) else { return nil }
        return try encodedHeaders()
    }

    private mutating func encodedHeaders() throws(AMQPError) -> EncodedHeaders {
        let verdict = NestingCheck.verdict(bytes, tableAt: offset)
        guard verdict != .malformed else { throw Self.malformed }
        let end = offset + 4 + Int(bytes.bigEndian(UInt32.self, at: offset))
        let table = [UInt8](copying: UnsafeRawBufferPointer(rebasing: bytes[offset..<end]))
        offset = end
        return EncodedHeaders(table, isSendable: verdict == .sendable) { FieldTable(encoded: $0) }
    }
}
