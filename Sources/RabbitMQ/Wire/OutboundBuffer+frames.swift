internal import CRabbitMQ

/// Frames around what rabbitmq-c's encoders make, and ``FieldWriter``: type, channel and size before, the end octet behind
/// (AMQP 0-9-1, section 2.3.5).
extension OutboundBuffer {
    private static let methodFrame = UInt8(AMQP_FRAME_METHOD)
    private static let headerFrame = UInt8(AMQP_FRAME_HEADER)
    private static let bodyFrame = UInt8(AMQP_FRAME_BODY)
    private static let heartbeatFrame = UInt8(AMQP_FRAME_HEARTBEAT)
    private static let end = UInt8(AMQP_FRAME_END)
    private static let basicClass = UInt16(60)

    /// What most content headers take, with the rarer properties.
    private static let commonHeader = 1024

    /// A body of this many bytes or more is spliced in; a shorter one is copied, which costs less than keeping it.
    private static let spliceThreshold = 32 * 1024

    func appendHeartbeat() {
        noteRun()
        let frame = room(for: FrameScanner.overhead)
        Self.open(frame, type: Self.heartbeatFrame, channel: 0, size: 0)
        frame.storeBytes(of: Self.end, toByteOffset: 7, as: UInt8.self)
        advance(FrameScanner.overhead)
        log?.note(FrameLog.heartbeat, 0, bytes: FrameScanner.overhead)
    }

    /// Encodes a method into one frame.
    ///
    /// - Parameter room: The most bytes its fields may take.
    @inline(__always)
    func appendMethod<Fields>(_ number: UInt32, _ fields: Fields, channel: UInt16, room space: Int) throws(AMQPError) {
        noteRun()
        let before = byteCount
        try encodeMethod(number, fields, channel: channel, room: space)
        log?.note(number, channel, bytes: byteCount - before)
    }

    @inline(__always)
    private func encodeMethod<Fields>(
        _ number: UInt32,
        _ fields: Fields,
        channel: UInt16,
        room space: Int
    ) throws(AMQPError) {
        let frame = room(for: space + 12)
        var fields = fields
        let size = unsafe(&fields) { amqp_encode_method(number, $0, amqp_bytes_t(len: space, bytes: frame + 11)) }
        guard size >= 0 else {
            throw AMQPError(.invalidArgument, "the arguments of \(MethodID(number)) don't fit into a frame")
        }
        Self.open(frame, type: Self.methodFrame, channel: channel, size: UInt32(size + 4))
        frame.storeBytes(of: number.bigEndian, toByteOffset: 7, as: UInt32.self)
        frame.storeBytes(of: Self.end, toByteOffset: 11 + Int(size), as: UInt8.self)
        advance(Int(size) + 12)
    }

    @inline(__always)
    private func unsafe<T>(_ value: inout T, _ body: (UnsafeMutableRawPointer) -> CInt) -> CInt {
        withUnsafeMutablePointer(to: &value) { body(UnsafeMutableRawPointer($0)) }
    }

    func appendAck(channel: UInt16, deliveryTag: UInt64, multiple: Bool) throws(AMQPError) {
        let ack = amqp_basic_ack_t(delivery_tag: deliveryTag, multiple: multiple ? 1 : 0)
        try appendMethod(AMQP_BASIC_ACK_METHOD, ack, channel: channel, room: 16)
    }

    func appendNack(channel: UInt16, deliveryTag: UInt64, multiple: Bool, requeue: Bool) throws(AMQPError) {
        let nack = amqp_basic_nack_t(delivery_tag: deliveryTag, multiple: multiple ? 1 : 0, requeue: requeue ? 1 : 0)
        try appendMethod(AMQP_BASIC_NACK_METHOD, nack, channel: channel, room: 16)
    }

    func appendReject(channel: UInt16, deliveryTag: UInt64, requeue: Bool) throws(AMQPError) {
        let reject = amqp_basic_reject_t(delivery_tag: deliveryTag, requeue: requeue ? 1 : 0)
        try appendMethod(AMQP_BASIC_REJECT_METHOD, reject, channel: channel, room: 16)
    }

    /// Encodes a message whole, or nothing of it: basic.publish, content header, body frames.
    ///
    /// Bodies are cut at `frameMax` - 8 here: rabbitmq-c's own publish stalls on exact multiples, and leaves the method
    /// on the wire when the properties turn out too large.
    @inline(__always)
    func appendPublish(
        _ message: borrowing Message,
        exchange: String,
        routingKey: String,
        mandatory: Bool,
        channel: UInt16,
        frameMax: Int,
        pool: Pool,
        template: PublishTemplate
    ) throws(AMQPError) {
        let before = byteCount
        let target = room(for: template.capacity)
        fetchAhead(of: target)
        let count = template.write(
            to: target,
            message: message,
            exchange: exchange,
            routingKey: routingKey,
            mandatory: mandatory,
            channel: channel
        )
        advance(count)
        if count == 0 {
            try appendHead(
                of: message,
                exchange: exchange,
                routingKey: routingKey,
                mandatory: mandatory,
                channel: channel,
                frameMax: frameMax,
                pool: pool,
                template: template
            )
        }
        appendBody(message.body, channel: channel, frameMax: frameMax)
        noteMessage(channel, from: before)
    }

    /// Fetches memory that will be written a few messages later. The link's queue read it last, to write it out, so that it is
    /// in another processor's cache: waiting for it was a third of a publish (the number stands beside the shim).
    ///
    /// A message of 100 bytes takes about three lines of 64 bytes, so that each line is fetched about once, five messages or 1
    /// KiB ahead: long enough for the fetch to end before the line is written. The distance was not measured apart.
    @inline(__always)
    private func fetchAhead(of target: UnsafeMutableRawPointer) {
        for line in 16..<19 { shim_prefetch_for_writing(target + 64 * line) }
    }

    /// Encodes what comes before a body: all of it or nothing.
    @inline(never)
    private func appendHead(
        of message: borrowing Message,
        exchange: String,
        routingKey: String,
        mandatory: Bool,
        channel: UInt16,
        frameMax: Int,
        pool: Pool,
        template: PublishTemplate
    ) throws(AMQPError) {
        let start = mark
        do throws(AMQPError) {
            var isKept = false
            if message.extras != nil {
                let count = template.writeMethod(
                    to: room(for: PublishTemplate.methodCapacity),
                    exchange: exchange,
                    routingKey: routingKey,
                    mandatory: mandatory,
                    channel: channel
                )
                advance(count)
                isKept = count > 0
            }
            if !isKept {
                pool.recycle()
                let publish = amqp_basic_publish_t(
                    ticket: 0,
                    exchange: try pool.text(exchange, "exchange name"),
                    routing_key: try pool.text(routingKey, "routing key"),
                    mandatory: mandatory ? 1 : 0,
                    immediate: 0
                )
                try encodeMethod(AMQP_BASIC_PUBLISH_METHOD, publish, channel: channel, room: 3 + 2 * 256)
            }
            let methodEnd = mark
            try appendHeader(of: message, channel: channel, frameMax: frameMax)
            let size = mark.0 - start.0
            template.keep(
                UnsafeRawPointer(room(for: 0)) - size,
                size: size,
                methodSize: methodEnd.0 - start.0,
                message: message,
                exchange: exchange,
                routingKey: routingKey,
                mandatory: mandatory
            )
        } catch {
            rewind(to: start)
            throw error
        }
    }

    private func appendHeader(of message: borrowing Message, channel: UInt16, frameMax: Int) throws(AMQPError) {
        let hasExtras = message.extras != nil
        // Without the rarer properties: flags, content type, delivery mode, priority, timestamp.
        let most = hasExtras ? frameMax - FrameScanner.overhead - 12 : 2 + 256 + 1 + 1 + 8
        // Mostly they are short: to make room for a whole frame at once would have the block grow to a frame's size.
        var space = min(most, max(spareRoom, Self.commonHeader) - 20)
        var (frame, properties) = encode(message, within: space)
        if properties.failure == .noRoom, space < most {
            space = most
            (frame, properties) = encode(message, within: space)
        }
        let size = properties.count
        guard properties.failure == nil, size + 12 + FrameScanner.overhead <= frameMax else {
            try message.validate()
            throw Self.refusal(of: properties.failure, frameMax)
        }
        Self.open(frame, type: Self.headerFrame, channel: channel, size: UInt32(size) + 12)
        frame.storeBytes(of: Self.basicClass.bigEndian, toByteOffset: 7, as: UInt16.self)
        frame.storeBytes(of: 0, toByteOffset: 9, as: UInt16.self)
        frame.storeBytes(of: UInt64(message.body.count).bigEndian, toByteOffset: 11, as: UInt64.self)
        frame.storeBytes(of: Self.end, toByteOffset: 19 + size, as: UInt8.self)
        advance(size + 20)
    }

    private func encode(
        _ message: borrowing Message,
        within space: Int
    ) -> (frame: UnsafeMutableRawPointer, properties: FieldWriter) {
        let frame = room(for: space + 20)
        var properties = FieldWriter(frame + 19, space: space)
        properties.put(propertiesOf: message)
        return (frame, properties)
    }

    @inline(never)
    private static func refusal(of failure: FieldWriter.Failure?, _ frameMax: Int) -> AMQPError {
        let what =
            failure == .refused
            ? "hold a text that is too long, or nest too deep" : "don't fit into a frame of \(frameMax) bytes"
        return AMQPError(.invalidMessage, "the message's properties \(what)")
    }

    @inline(__always)
    private func appendBody(_ body: [UInt8], channel: UInt16, frameMax: Int) {
        guard body.count < min(Self.spliceThreshold, frameMax - FrameScanner.overhead) else {
            appendLargeBody(body, channel: channel, frameMax: frameMax)
            return
        }
        guard body.count > 0 else { return }
        append(body, 0..<body.count, channel: channel)
    }

    @inline(never)
    private func appendLargeBody(_ body: [UInt8], channel: UInt16, frameMax: Int) {
        let most = frameMax - FrameScanner.overhead
        var offset = 0
        while offset < body.count {
            let range = offset..<min(offset + most, body.count)
            if range.count < Self.spliceThreshold {
                append(body, range, channel: channel)
            } else {
                Self.open(room(for: 7), type: Self.bodyFrame, channel: channel, size: UInt32(range.count))
                advance(7)
                splice(body, range)
                room(for: 1).storeBytes(of: Self.end, as: UInt8.self)
                advance(1)
            }
            offset = range.upperBound
        }
    }

    /// Copies a part of a body into a frame.
    @inline(__always)
    private func append(_ body: [UInt8], _ range: Range<Int>, channel: UInt16) {
        let frame = room(for: range.count + FrameScanner.overhead)
        Self.open(frame, type: Self.bodyFrame, channel: channel, size: UInt32(range.count))
        body.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            (frame + 7).copyMemory(from: base + range.lowerBound, byteCount: range.count)
        }
        frame.storeBytes(of: Self.end, toByteOffset: 7 + range.count, as: UInt8.self)
        advance(range.count + FrameScanner.overhead)
    }

    @inline(__always)
    private static func open(_ frame: UnsafeMutableRawPointer, type: UInt8, channel: UInt16, size: UInt32) {
        frame.storeBytes(of: type, as: UInt8.self)
        frame.storeBytes(of: channel.bigEndian, toByteOffset: 1, as: UInt16.self)
        frame.storeBytes(of: size.bigEndian, toByteOffset: 3, as: UInt32.self)
    }
}
