internal import CRabbitMQ

/// A method frame's payload, decoded by rabbitmq-c.
///
/// Only methods that a server may send are decoded, and of these only connection.start carries a table: so that check
/// of its nesting is all that is needed before the decoder runs.
struct MethodDecoder {
    static let deliver = AMQP_BASIC_DELIVER_METHOD
    static let ack = AMQP_BASIC_ACK_METHOD

    let pool = Pool()

    /// The method's number: class in the upper half, method in the lower.
    static func methodNumber(_ payload: UnsafeRawBufferPointer) throws(AMQPError) -> UInt32 {
        guard payload.count >= 4 else {
            throw AMQPError(.protocolViolation, "a method frame of \(payload.count) bytes")
        }
        return payload.bigEndian(UInt32.self, at: 0)
    }

    @inline(__always)
    func deliver(_ payload: UnsafeRawBufferPointer) throws(AMQPError) -> DeliveryView {
        let method = try decode(AMQP_BASIC_DELIVER_METHOD, payload, as: amqp_basic_deliver_t.self)
        return DeliveryView(
            consumerTag: method.consumer_tag.buffer,
            deliveryTag: method.delivery_tag,
            redelivered: method.redelivered != 0,
            exchange: method.exchange.buffer,
            routingKey: method.routing_key.buffer
        )
    }

    /// Decodes the fields of a method from its frame's payload.
    @inline(__always)
    private func decode<T>(_ number: UInt32, _ payload: UnsafeRawBufferPointer, as type: T.Type) throws(AMQPError) -> T
    {
        pool.recycle()
        var decoded: UnsafeMutableRawPointer?
        let fields = UnsafeMutableRawPointer(mutating: payload.baseAddress)?.advanced(by: 4)
        let status = amqp_decode_method(
            number,
            pool.pointer,
            amqp_bytes_t(len: payload.count - 4, bytes: fields),
            &decoded
        )
        guard status >= 0, let decoded else {
            throw AMQPError(.protocolViolation, "a malformed \(MethodID(number))")
        }
        return decoded.load(as: type)
    }

    private func start(_ payload: UnsafeRawBufferPointer) throws(AMQPError) -> ServerMethod {
        // class, method, version: 6 bytes; then the server's properties.
        guard NestingCheck.accepts(payload, tableAt: 6) else {
            throw AMQPError(.protocolViolation, "server properties that are malformed or too deeply nested")
        }
        let start = try decode(AMQP_CONNECTION_START_METHOD, payload, as: amqp_connection_start_t.self)
        return .connectionStart(
            ServerMethod.Start(
                versionMajor: start.version_major,
                versionMinor: start.version_minor,
                serverProperties: FieldTable(start.server_properties),
                mechanisms: start.mechanisms.text.split(separator: " ").map(String.init)
            )
        )
    }

    func method(_ payload: UnsafeRawBufferPointer) throws(AMQPError) -> ServerMethod {
        let number = try Self.methodNumber(payload)
        switch number {
        case AMQP_CONNECTION_START_METHOD: return try start(payload)
        case AMQP_CONNECTION_SECURE_METHOD:
            let secure = try decode(number, payload, as: amqp_connection_secure_t.self)
            return .connectionSecure(Array(secure.challenge.buffer))
        case AMQP_CONNECTION_TUNE_METHOD:
            let tune = try decode(number, payload, as: amqp_connection_tune_t.self)
            return .connectionTune(
                ServerMethod.Tune(channelMax: tune.channel_max, frameMax: tune.frame_max, heartbeat: tune.heartbeat)
            )
        case AMQP_CONNECTION_OPEN_OK_METHOD: return .connectionOpenOk
        case AMQP_CONNECTION_CLOSE_METHOD:
            let close = try decode(number, payload, as: amqp_connection_close_t.self)
            return .connectionClose(
                ServerMethod.Close(
                    replyCode: close.reply_code,
                    replyText: close.reply_text.text,
                    classID: close.class_id,
                    methodID: close.method_id
                )
            )
        case AMQP_CONNECTION_CLOSE_OK_METHOD: return .connectionCloseOk
        case AMQP_CONNECTION_BLOCKED_METHOD:
            return .connectionBlocked(
                reason: try decode(number, payload, as: amqp_connection_blocked_t.self).reason.text
            )
        case AMQP_CONNECTION_UNBLOCKED_METHOD: return .connectionUnblocked
        case Self.updateSecretOk: return .connectionUpdateSecretOk
        case AMQP_CHANNEL_OPEN_OK_METHOD: return .channelOpenOk
        case AMQP_CHANNEL_FLOW_METHOD:
            return .channelFlow(active: try decode(number, payload, as: amqp_channel_flow_t.self).active != 0)
        case AMQP_CHANNEL_CLOSE_METHOD:
            let close = try decode(number, payload, as: amqp_channel_close_t.self)
            return .channelClose(
                ServerMethod.Close(
                    replyCode: close.reply_code,
                    replyText: close.reply_text.text,
                    classID: close.class_id,
                    methodID: close.method_id
                )
            )
        case AMQP_CHANNEL_CLOSE_OK_METHOD: return .channelCloseOk
        case AMQP_EXCHANGE_DECLARE_OK_METHOD: return .exchangeDeclareOk
        case AMQP_EXCHANGE_DELETE_OK_METHOD: return .exchangeDeleteOk
        case AMQP_EXCHANGE_BIND_OK_METHOD: return .exchangeBindOk
        case AMQP_EXCHANGE_UNBIND_OK_METHOD: return .exchangeUnbindOk
        case AMQP_QUEUE_DECLARE_OK_METHOD:
            let queue = try decode(number, payload, as: amqp_queue_declare_ok_t.self)
            return .queueDeclareOk(
                ServerMethod.DeclaredQueue(
                    name: queue.queue.shortString,
                    messageCount: queue.message_count,
                    consumerCount: queue.consumer_count
                )
            )
        case AMQP_QUEUE_BIND_OK_METHOD: return .queueBindOk
        case AMQP_QUEUE_UNBIND_OK_METHOD: return .queueUnbindOk
        case AMQP_QUEUE_PURGE_OK_METHOD:
            return .queuePurgeOk(
                messageCount: try decode(number, payload, as: amqp_queue_purge_ok_t.self).message_count
            )
        case AMQP_QUEUE_DELETE_OK_METHOD:
            return .queueDeleteOk(
                messageCount: try decode(number, payload, as: amqp_queue_delete_ok_t.self).message_count
            )
        case AMQP_CONFIRM_SELECT_OK_METHOD: return .confirmSelectOk
        case AMQP_TX_SELECT_OK_METHOD: return .txSelectOk
        case AMQP_TX_COMMIT_OK_METHOD: return .txCommitOk
        case AMQP_TX_ROLLBACK_OK_METHOD: return .txRollbackOk
        default: return try basic(number, payload)
        }
    }

    private func basic(_ number: UInt32, _ payload: UnsafeRawBufferPointer) throws(AMQPError) -> ServerMethod {
        switch number {
        case AMQP_BASIC_QOS_OK_METHOD: return .basicQosOk
        case AMQP_BASIC_CONSUME_OK_METHOD:
            return .basicConsumeOk(
                consumerTag: try decode(number, payload, as: amqp_basic_consume_ok_t.self).consumer_tag.shortString
            )
        case AMQP_BASIC_CANCEL_OK_METHOD:
            return .basicCancelOk(
                consumerTag: try decode(number, payload, as: amqp_basic_cancel_ok_t.self).consumer_tag.shortString
            )
        case AMQP_BASIC_CANCEL_METHOD:
            return .basicCancel(
                consumerTag: try decode(number, payload, as: amqp_basic_cancel_t.self).consumer_tag.shortString
            )
        case AMQP_BASIC_RETURN_METHOD:
            let returned = try decode(number, payload, as: amqp_basic_return_t.self)
            return .basicReturn(
                ServerMethod.Return(
                    replyCode: returned.reply_code,
                    replyText: returned.reply_text.text,
                    exchange: returned.exchange.shortString,
                    routingKey: returned.routing_key.shortString
                )
            )
        case AMQP_BASIC_GET_OK_METHOD:
            let get = try decode(number, payload, as: amqp_basic_get_ok_t.self)
            return .basicGetOk(
                ServerMethod.GetOk(
                    deliveryTag: get.delivery_tag,
                    redelivered: get.redelivered != 0,
                    exchange: get.exchange.shortString,
                    routingKey: get.routing_key.shortString,
                    messageCount: get.message_count
                )
            )
        case AMQP_BASIC_GET_EMPTY_METHOD: return .basicGetEmpty
        case AMQP_BASIC_RECOVER_OK_METHOD: return .basicRecoverOk
        case AMQP_BASIC_ACK_METHOD:
            let ack = try decode(number, payload, as: amqp_basic_ack_t.self)
            return .basicAck(deliveryTag: ack.delivery_tag, multiple: ack.multiple != 0)
        case AMQP_BASIC_NACK_METHOD:
            let nack = try decode(number, payload, as: amqp_basic_nack_t.self)
            return .basicNack(deliveryTag: nack.delivery_tag, multiple: nack.multiple != 0)
        default:
            throw AMQPError(.protocolViolation, "\(MethodID(number)), which no server sends")
        }
    }

    /// connection.update-secret-ok, which rabbitmq-c 0.11 doesn't know.
    private static let updateSecretOk: UInt32 = 0x000A_0047
}

extension MethodID {
    init(_ number: UInt32) {
        self.init(classID: UInt16(truncatingIfNeeded: number >> 16), methodID: UInt16(truncatingIfNeeded: number))
    }
}
