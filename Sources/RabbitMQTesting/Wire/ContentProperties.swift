internal import RabbitMQ

/// The properties of a message as they go over the wire (AMQP 0-9-1, section 4.2.6.1).
enum ContentProperties {
    /// Decodes what follows class, weight and body size in a content header.
    static func decode(_ bytes: ArraySlice<UInt8>) throws(Refusal) -> Message {
        var reader = WireReader(bytes)
        let flags = try reader.short()
        var message = Message(body: [], timestamp: nil)
        message.contentType = nil
        func has(_ bit: Int) -> Bool { flags & (1 << UInt16(bit)) != 0 }
        if has(15) { message.contentType = try reader.shortString() }
        if has(14) { message.contentEncoding = try reader.shortString() }
        if has(13) { message.headers = try reader.table() }
        if has(12) { message.deliveryMode = DeliveryMode(rawValue: try reader.octet()) }
        if has(11) { message.priority = try reader.octet() }
        if has(10) { message.correlationID = try reader.shortString() }
        if has(9) { message.replyTo = try reader.shortString() }
        if has(8) { message.expiration = try reader.shortString() }
        if has(7) { message.messageID = try reader.shortString() }
        if has(6) { message.timestampSeconds = try reader.longLong() }
        if has(5) { message.type = try reader.shortString() }
        if has(4) { message.userID = try reader.shortString() }
        if has(3) { message.appID = try reader.shortString() }
        if has(2) { _ = try reader.shortString() }
        return message
    }

    static func encode(_ message: Message) -> [UInt8] {
        var flags: UInt16 = 0
        var fields = WireWriter()
        func text(_ bit: UInt16, _ value: String?) {
            guard let value else { return }
            flags |= 1 << bit
            fields.shortString(value)
        }
        text(15, message.contentType)
        text(14, message.contentEncoding)
        if let headers = message.headers {
            flags |= 1 << 13
            fields.table(headers)
        }
        if let mode = message.deliveryMode {
            flags |= 1 << 12
            fields.octet(mode.rawValue)
        }
        if let priority = message.priority {
            flags |= 1 << 11
            fields.octet(priority)
        }
        text(10, message.correlationID)
        text(9, message.replyTo)
        text(8, message.expiration)
        text(7, message.messageID)
        if let seconds = message.timestampSeconds {
            flags |= 1 << 6
            fields.longLong(seconds)
        }
        text(5, message.type)
        text(4, message.userID)
        text(3, message.appID)
        var writer = WireWriter()
        writer.short(flags)
        writer.raw(fields.bytes)
        return writer.bytes
    }
}
