internal import CRabbitMQ

/// A content header (AMQP 0-9-1, section 4.2.6.1): the properties of a message, and how long its body will be.
struct ContentHeader {
    var bodySize: UInt64
    /// The message as yet without its body.
    var message: Message
}

/// Decodes content headers with rabbitmq-c.
struct HeaderDecoder {
    private let pool = Pool()
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

    /// Properties, valid until the next are decoded.
    struct Properties {
        /// All but the headers.
        fileprivate let plain: UnsafePointer<amqp_basic_properties_t>
        /// The headers as they lie in the content header, a well formed table; nil if there are none.
        fileprivate let table: UnsafeRawBufferPointer?
        /// What there is to say of these.
        fileprivate var verdict = NestingCheck.Verdict()
    }

    /// The properties in a header, valid as long as it is, and until the next are decoded.
    @inline(__always)
    func properties(_ payload: UnsafeRawBufferPointer) throws(AMQPError) -> Properties {
        guard payload.count >= Self.prefix + 2, Self.isOfClass(payload) else {
            throw AMQPError(.protocolViolation, "a content header that is not of the class basic")
        }
        // RabbitMQ hands on that more flags follow, if a publisher says so, and takes what follows for the properties. To end
        // the connection over it would end the next one too, with the same message.
        let flags = payload.bigEndian(UInt16.self, at: Self.prefix) & ~Self.goesOn
        pool.recycle()
        let encoded = UnsafeRawBufferPointer(rebasing: payload[Self.prefix...])
        guard UInt32(flags) & Self.headers != 0 else {
            return Properties(plain: try decode(try withFlags(flags, encoded)), table: nil)
        }
        let (plain, table, verdict) = try withoutHeaders(encoded, flags)
        return Properties(plain: try decode(plain), table: table, verdict: verdict)
    }

    /// The properties with these flags, in memory of the pool if they have others.
    @inline(__always)
    private func withFlags(
        _ flags: UInt16,
        _ properties: UnsafeRawBufferPointer
    ) throws(AMQPError) -> UnsafeRawBufferPointer {
        guard properties.bigEndian(UInt16.self, at: 0) != flags else { return properties }
        guard let base = properties.baseAddress, let copy = pool.allocate(UInt8.self, count: properties.count) else {
            throw Pool.outOfMemory
        }
        let changed = UnsafeMutableRawPointer(copy)
        changed.copyMemory(from: base, byteCount: properties.count)
        changed.storeBytes(of: flags.bigEndian, as: UInt16.self)
        return UnsafeRawBufferPointer(start: changed, count: properties.count)
    }

    private func decode(
        _ properties: UnsafeRawBufferPointer
    ) throws(AMQPError) -> UnsafePointer<amqp_basic_properties_t> {
        var decoded: UnsafeMutableRawPointer?
        let bytes = amqp_bytes_t(
            len: properties.count,
            bytes: UnsafeMutableRawPointer(mutating: properties.baseAddress)
        )
        let status = amqp_decode_properties(Self.basicClass, pool.pointer, bytes, &decoded)
        guard status >= 0, let decoded else { throw Self.malformed }
        return UnsafePointer(decoded.assumingMemoryBound(to: amqp_basic_properties_t.self))
    }

    /// The properties as if there were no headers, in memory of the pool, and the headers, which come after two short strings.
    private func withoutHeaders(
        _ properties: UnsafeRawBufferPointer,
        _ flags: UInt16
    ) throws(AMQPError) -> (UnsafeRawBufferPointer, table: UnsafeRawBufferPointer, verdict: NestingCheck.Verdict) {
        var start = 2
        for flag in Self.beforeHeaders where UInt32(flags) & flag != 0 {
            guard start < properties.count else { throw Self.malformed }
            start += 1 + Int(properties[start])
        }
        guard let verdict = NestingCheck.verdict(properties, tableAt: start) else { throw Self.malformed }
        let end = start + 4 + Int(properties.bigEndian(UInt32.self, at: start))
        let count = properties.count - (end - start)
        guard let base = properties.baseAddress, let copy = pool.allocate(UInt8.self, count: count) else {
            throw Pool.outOfMemory
        }
        let plain = UnsafeMutableRawPointer(copy)
        plain.copyMemory(from: base, byteCount: start)
        plain.storeBytes(of: (flags & ~UInt16(Self.headers)).bigEndian, as: UInt16.self)
        (plain + start).copyMemory(from: base + end, byteCount: properties.count - end)
        return (
            UnsafeRawBufferPointer(start: plain, count: count),
            table: UnsafeRawBufferPointer(rebasing: properties[start..<end]),
            verdict: verdict
        )
    }

    private static var malformed: AMQPError { AMQPError(.protocolViolation, "malformed message properties") }

    /// That another word of flags follows. No property of the class basic has its flag there.
    private static let goesOn: UInt16 = 1
    private static let contentType = UInt32(AMQP_BASIC_CONTENT_TYPE_FLAG)
    private static let headers = UInt32(AMQP_BASIC_HEADERS_FLAG)
    /// The short strings before the headers.
    private static let beforeHeaders = [contentType, UInt32(AMQP_BASIC_CONTENT_ENCODING_FLAG)]
    private static let deliveryMode = UInt32(AMQP_BASIC_DELIVERY_MODE_FLAG)
    private static let priority = UInt32(AMQP_BASIC_PRIORITY_FLAG)
    private static let timestamp = UInt32(AMQP_BASIC_TIMESTAMP_FLAG)
    /// Those that a message keeps in its box of rarer properties, beside the headers.
    private static let rarer = UInt32(
        AMQP_BASIC_CONTENT_ENCODING_FLAG | AMQP_BASIC_CORRELATION_ID_FLAG | AMQP_BASIC_REPLY_TO_FLAG
            | AMQP_BASIC_EXPIRATION_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TYPE_FLAG | AMQP_BASIC_USER_ID_FLAG
            | AMQP_BASIC_APP_ID_FLAG
    )

    /// The message that properties and a body make.
    @inline(__always)
    mutating func message(
        _ decoded: Properties,
        body: UnsafeRawBufferPointer
    ) -> Message {
        let properties = decoded.plain
        let flags = properties.pointee._flags
        let contentType =
            flags & Self.contentType != 0 ? contentTypes.text(properties.pointee.content_type.buffer) : nil
        let deliveryMode =
            flags & Self.deliveryMode != 0 ? DeliveryMode(rawValue: properties.pointee.delivery_mode) : nil
        let priority = flags & Self.priority != 0 ? properties.pointee.priority : nil
        let timestamp = flags & Self.timestamp != 0 ? properties.pointee.timestamp : nil
        let hasExtras = flags & Self.rarer != 0 || decoded.table != nil
        let extras = hasExtras ? Self.extras(properties.pointee, decoded) : nil
        return Message(
            body: [UInt8](copying: body),
            contentType: contentType,
            deliveryMode: deliveryMode,
            priority: priority,
            timestampSeconds: timestamp,
            extras: extras
        )
    }

    private static func extras(
        _ properties: amqp_basic_properties_t,
        _ decoded: Properties
    ) -> MessageExtras? {
        func text(_ flag: CInt, _ bytes: amqp_bytes_t) -> String? {
            properties._flags & UInt32(flag) != 0 ? bytes.shortString : nil
        }
        let values = MessageExtras.Values(
            contentEncoding: text(AMQP_BASIC_CONTENT_ENCODING_FLAG, properties.content_encoding),
            correlationID: text(AMQP_BASIC_CORRELATION_ID_FLAG, properties.correlation_id),
            replyTo: text(AMQP_BASIC_REPLY_TO_FLAG, properties.reply_to),
            expiration: text(AMQP_BASIC_EXPIRATION_FLAG, properties.expiration),
            messageID: text(AMQP_BASIC_MESSAGE_ID_FLAG, properties.message_id),
            type: text(AMQP_BASIC_TYPE_FLAG, properties.type),
            userID: text(AMQP_BASIC_USER_ID_FLAG, properties.user_id),
            appID: text(AMQP_BASIC_APP_ID_FLAG, properties.app_id)
        )
        guard let table = decoded.table else { return MessageExtras.box(values) }
        let bytes = [UInt8](copying: table)
        let headers = EncodedHeaders(
            bytes,
            isSendable: decoded.verdict.isSendable,
            isTooDeep: decoded.verdict.isTooDeep,
            values: decoded.verdict.values,
            HeaderSearch.self
        )
        return MessageExtras(values, encoded: headers)
    }
}
