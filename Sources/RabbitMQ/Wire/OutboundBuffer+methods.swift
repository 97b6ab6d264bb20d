internal import CRabbitMQ
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

extension OutboundBuffer {
    /// Encodes a method that was checked (``ClientMethod/validate()``).
    ///
    /// - Throws: `invalidArgument` if it doesn't fit into a frame; nothing was appended then.
    func append(_ method: ClientMethod, channel: UInt16, frameMax: Int, pool: Pool) throws(AMQPError) {
        pool.recycle()
        try Encoding(buffer: self, channel: channel, frameMax: frameMax, pool: pool).append(method)
    }
}

/// The encoding of one method.
private struct Encoding {
    let buffer: OutboundBuffer
    let channel: UInt16
    let frameMax: Int
    let pool: Pool

    /// Most methods are short; one with a large table takes what the frame has.
    private static let usualRoom = 2048

    private func put<Fields>(_ number: UInt32, _ fields: Fields) throws(AMQPError) {
        let most = frameMax - FrameScanner.overhead - 4
        do throws(AMQPError) {
            try buffer.appendMethod(number, fields, channel: channel, room: min(Self.usualRoom, most))
        } catch {
            try buffer.appendMethod(number, fields, channel: channel, room: most)
        }
    }

    /// A copy of something secret, to be wiped when it is encoded.
    private func secret(_ bytes: [UInt8]) throws(AMQPError) -> amqp_bytes_t {
        buffer.noteSecret()
        return try pool.bytes(bytes)
    }

    private func bit(_ value: Bool) -> amqp_boolean_t { value ? 1 : 0 }

    /// One switch for all of them: of a method that is missing in it, the compiler says so.
    func append(_ method: ClientMethod) throws(AMQPError) {
        switch method {
        case .connectionStartOk(let start):
            let response = try secret(start.response)
            defer { Pool.wipe(response) }
            try put(
                AMQP_CONNECTION_START_OK_METHOD,
                amqp_connection_start_ok_t(
                    client_properties: try pool.table(start.clientProperties),
                    mechanism: try pool.bytes(start.mechanism),
                    response: response,
                    locale: try pool.bytes("en_US")
                )
            )
        case .connectionSecureOk(let response):
            let copy = try secret(response)
            defer { Pool.wipe(copy) }
            try put(AMQP_CONNECTION_SECURE_OK_METHOD, amqp_connection_secure_ok_t(response: copy))
        case .connectionTuneOk(let channelMax, let frameMax, let heartbeat):
            try put(
                AMQP_CONNECTION_TUNE_OK_METHOD,
                amqp_connection_tune_ok_t(channel_max: channelMax, frame_max: frameMax, heartbeat: heartbeat)
            )
        case .connectionOpen(let virtualHost):
            try put(
                AMQP_CONNECTION_OPEN_METHOD,
                amqp_connection_open_t(
                    virtual_host: try pool.bytes(virtualHost),
                    capabilities: amqp_bytes_t(),
                    insist: 0
                )
            )
        case .connectionClose(let code, let text):
            try put(
                AMQP_CONNECTION_CLOSE_METHOD,
                amqp_connection_close_t(reply_code: code, reply_text: try pool.bytes(text), class_id: 0, method_id: 0)
            )
        case .connectionUpdateSecret(let secret, let reason): try updateSecret(secret, reason)
        case .connectionCloseOk: try put(AMQP_CONNECTION_CLOSE_OK_METHOD, amqp_connection_close_ok_t())
        case .channelOpen: try put(AMQP_CHANNEL_OPEN_METHOD, amqp_channel_open_t())
        case .channelFlowOk(let active):
            try put(AMQP_CHANNEL_FLOW_OK_METHOD, amqp_channel_flow_ok_t(active: bit(active)))
        case .channelClose(let code, let text):
            try put(
                AMQP_CHANNEL_CLOSE_METHOD,
                amqp_channel_close_t(reply_code: code, reply_text: try pool.bytes(text), class_id: 0, method_id: 0)
            )
        case .channelCloseOk: try put(AMQP_CHANNEL_CLOSE_OK_METHOD, amqp_channel_close_ok_t())
        case .exchangeDeclare(let exchange):
            try put(
                AMQP_EXCHANGE_DECLARE_METHOD,
                amqp_exchange_declare_t(
                    ticket: 0,
                    exchange: try pool.bytes(exchange.name),
                    type: try pool.bytes(exchange.type),
                    passive: bit(exchange.passive),
                    durable: bit(exchange.durable),
                    auto_delete: bit(exchange.autoDelete),
                    internal: bit(exchange.internal),
                    nowait: bit(exchange.noWait),
                    arguments: try pool.table(exchange.arguments)
                )
            )
        case .exchangeDelete(let name, let ifUnused, let noWait):
            try put(
                AMQP_EXCHANGE_DELETE_METHOD,
                amqp_exchange_delete_t(
                    ticket: 0,
                    exchange: try pool.bytes(name),
                    if_unused: bit(ifUnused),
                    nowait: bit(noWait)
                )
            )
        case .exchangeBind(let binding):
            try put(
                AMQP_EXCHANGE_BIND_METHOD,
                amqp_exchange_bind_t(
                    ticket: 0,
                    destination: try pool.bytes(binding.destination),
                    source: try pool.bytes(binding.source),
                    routing_key: try pool.bytes(binding.routingKey),
                    nowait: bit(binding.noWait),
                    arguments: try pool.table(binding.arguments)
                )
            )
        case .exchangeUnbind(let binding):
            try put(
                AMQP_EXCHANGE_UNBIND_METHOD,
                amqp_exchange_unbind_t(
                    ticket: 0,
                    destination: try pool.bytes(binding.destination),
                    source: try pool.bytes(binding.source),
                    routing_key: try pool.bytes(binding.routingKey),
                    nowait: bit(binding.noWait),
                    arguments: try pool.table(binding.arguments)
                )
            )
        case .queueDeclare(let queue):
            try put(
                AMQP_QUEUE_DECLARE_METHOD,
                amqp_queue_declare_t(
                    ticket: 0,
                    queue: try pool.bytes(queue.name),
                    passive: bit(queue.passive),
                    durable: bit(queue.durable),
                    exclusive: bit(queue.exclusive),
                    auto_delete: bit(queue.autoDelete),
                    nowait: bit(queue.noWait),
                    arguments: try pool.table(queue.arguments)
                )
            )
        case .queueBind(let binding):
            try put(
                AMQP_QUEUE_BIND_METHOD,
                amqp_queue_bind_t(
                    ticket: 0,
                    queue: try pool.bytes(binding.destination),
                    exchange: try pool.bytes(binding.source),
                    routing_key: try pool.bytes(binding.routingKey),
                    nowait: bit(binding.noWait),
                    arguments: try pool.table(binding.arguments)
                )
            )
        case .queueUnbind(let binding):
            try put(
                AMQP_QUEUE_UNBIND_METHOD,
                amqp_queue_unbind_t(
                    ticket: 0,
                    queue: try pool.bytes(binding.destination),
                    exchange: try pool.bytes(binding.source),
                    routing_key: try pool.bytes(binding.routingKey),
                    arguments: try pool.table(binding.arguments)
                )
            )
        case .queuePurge(let name):
            try put(AMQP_QUEUE_PURGE_METHOD, amqp_queue_purge_t(ticket: 0, queue: try pool.bytes(name), nowait: 0))
        case .queueDelete(let name, let ifUnused, let ifEmpty, let noWait):
            try put(
                AMQP_QUEUE_DELETE_METHOD,
                amqp_queue_delete_t(
                    ticket: 0,
                    queue: try pool.bytes(name),
                    if_unused: bit(ifUnused),
                    if_empty: bit(ifEmpty),
                    nowait: bit(noWait)
                )
            )
        case .basicQos(let size, let count, let global):
            try put(
                AMQP_BASIC_QOS_METHOD,
                amqp_basic_qos_t(prefetch_size: size, prefetch_count: count, global: bit(global))
            )
        case .basicConsume(let consume):
            try put(
                AMQP_BASIC_CONSUME_METHOD,
                amqp_basic_consume_t(
                    ticket: 0,
                    queue: try pool.bytes(consume.queue),
                    consumer_tag: try pool.bytes(consume.consumerTag),
                    no_local: bit(consume.noLocal),
                    no_ack: bit(consume.noAck),
                    exclusive: bit(consume.exclusive),
                    nowait: bit(consume.noWait),
                    arguments: try pool.table(consume.arguments)
                )
            )
        case .basicCancel(let tag, let noWait):
            try put(
                AMQP_BASIC_CANCEL_METHOD,
                amqp_basic_cancel_t(consumer_tag: try pool.bytes(tag), nowait: bit(noWait))
            )
        case .basicGet(let queue, let noAck):
            try put(
                AMQP_BASIC_GET_METHOD,
                amqp_basic_get_t(ticket: 0, queue: try pool.bytes(queue), no_ack: bit(noAck))
            )
        case .basicRecover(let requeue):
            try put(AMQP_BASIC_RECOVER_METHOD, amqp_basic_recover_t(requeue: bit(requeue)))
        case .confirmSelect: try put(AMQP_CONFIRM_SELECT_METHOD, amqp_confirm_select_t(nowait: 0))
        case .txSelect: try put(AMQP_TX_SELECT_METHOD, amqp_tx_select_t())
        case .txCommit: try put(AMQP_TX_COMMIT_METHOD, amqp_tx_commit_t())
        case .txRollback: try put(AMQP_TX_ROLLBACK_METHOD, amqp_tx_rollback_t())
        }
    }

    /// connection.update-secret (10, 70), which rabbitmq-c 0.11 doesn't know. Its fields, a long string and a short one,
    /// are those of connection.secure-ok and the reply text of nothing in between; they are written here.
    private func updateSecret(_ secret: [UInt8], _ reason: String) throws(AMQPError) {
        let reason = Array(reason.utf8)
        let size = 4 + 4 + secret.count + 1 + reason.count
        guard size + FrameScanner.overhead <= frameMax else {
            throw AMQPError(.invalidArgument, "the secret doesn't fit into a frame of \(frameMax) bytes")
        }
        var frame: [UInt8] = []
        // A larger one in its place would leave a copy behind.
        frame.reserveCapacity(size + FrameScanner.overhead)
        frame += [1, UInt8(channel >> 8), UInt8(channel & 0xFF)]
        frame += withUnsafeBytes(of: UInt32(size).bigEndian, Array.init)
        frame += [0, 10, 0, 70]
        frame += withUnsafeBytes(of: UInt32(secret.count).bigEndian, Array.init)
        frame += secret
        frame.append(UInt8(truncatingIfNeeded: reason.count))
        frame += reason
        frame.append(UInt8(AMQP_FRAME_END))
        // Before: what was appended so far is noted now.
        let log = buffer.log
        buffer.noteSecret()
        frame.withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            buffer.room(for: bytes.count).copyMemory(from: base, byteCount: bytes.count)
            explicit_bzero(base, bytes.count)
        }
        buffer.advance(frame.count)
        log?.note(10 << 16 | 70, channel, bytes: frame.count)
    }
}
