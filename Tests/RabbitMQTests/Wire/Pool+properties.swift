import CRabbitMQ

@testable import RabbitMQ

/// A message's properties as rabbitmq-c takes them, their texts in the pool: what it makes of them is what the library's own
/// writer has to make.
extension Pool {
    func properties(of message: Message) throws(AMQPError) -> amqp_basic_properties_t {
        var properties = amqp_basic_properties_t()
        var flags: CInt = 0
        if let contentType = message.contentType {
            flags |= AMQP_BASIC_CONTENT_TYPE_FLAG
            properties.content_type = try shortString(contentType)
        }
        if let mode = message.deliveryMode {
            flags |= AMQP_BASIC_DELIVERY_MODE_FLAG
            properties.delivery_mode = mode.rawValue
        }
        if let priority = message.priority {
            flags |= AMQP_BASIC_PRIORITY_FLAG
            properties.priority = priority
        }
        if let timestamp = message.timestampSeconds {
            flags |= AMQP_BASIC_TIMESTAMP_FLAG
            properties.timestamp = timestamp
        }
        properties._flags = UInt32(flags)
        if let extras = message.extras { try setRarer(extras.values, in: &properties) }
        return properties
    }

    private func setRarer(
        _ extras: MessageExtras.Values,
        in properties: inout amqp_basic_properties_t
    ) throws(AMQPError) {
        var flags = CInt(bitPattern: properties._flags)
        func set(_ flag: CInt, _ text: String?, _ field: inout amqp_bytes_t) throws(AMQPError) {
            guard let text else { return }
            flags |= flag
            field = try shortString(text)
        }
        try set(AMQP_BASIC_CONTENT_ENCODING_FLAG, extras.contentEncoding, &properties.content_encoding)
        try set(AMQP_BASIC_CORRELATION_ID_FLAG, extras.correlationID, &properties.correlation_id)
        try set(AMQP_BASIC_REPLY_TO_FLAG, extras.replyTo, &properties.reply_to)
        try set(AMQP_BASIC_EXPIRATION_FLAG, extras.expiration, &properties.expiration)
        try set(AMQP_BASIC_MESSAGE_ID_FLAG, extras.messageID, &properties.message_id)
        try set(AMQP_BASIC_TYPE_FLAG, extras.type, &properties.type)
        try set(AMQP_BASIC_USER_ID_FLAG, extras.userID, &properties.user_id)
        try set(AMQP_BASIC_APP_ID_FLAG, extras.appID, &properties.app_id)
        if let headers = extras.headers {
            flags |= AMQP_BASIC_HEADERS_FLAG
            properties.headers = try table(headers)
        }
        properties._flags = UInt32(bitPattern: flags)
    }
}
