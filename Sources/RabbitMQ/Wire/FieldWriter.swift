internal import CRabbitMQ

/// Writes properties and field tables as they go over the wire (AMQP 0-9-1, section 4.2.5), into memory of a given size.
///
/// rabbitmq-c wants a tree of its own structures with a copy of each text, which it walks then: that was most of what it took
/// to publish a message whose table was made for it. Methods, which are rare, are still encoded so (``Pool``).
///
/// What brokers can't take is not written: a length that is cut to 8 bits before a key that is not would plant another header,
/// and for other things RabbitMQ closes the connection. What is wrong says ``Message/validate()``, which most messages need
/// not be put through: the same is looked at here.
struct FieldWriter {
    /// Why what was written is of no use.
    enum Failure {
        case noRoom
        /// A text is too long for a short string, or a table too deep, or a value is none that can be sent.
        case refused
    }

    private let base: UnsafeMutableRawPointer
    private let space: Int
    /// How many bytes were written.
    private(set) var count = 0
    private(set) var failure: Failure?

    /// - Parameters:
    ///   - base: Where to write.
    ///   - space: How many bytes there are.
    init(_ base: UnsafeMutableRawPointer, space: Int) {
        self.base = base
        self.space = space
    }

    private mutating func fail(_ failure: Failure) {
        if self.failure == nil { self.failure = failure }
    }

    /// The place of the next bytes; nil if there is not so much room.
    @inline(__always)
    private mutating func take(_ size: Int) -> UnsafeMutableRawPointer? {
        guard failure == nil, size <= space - count else {
            fail(.noRoom)
            return nil
        }
        let place = base + count
        count += size
        return place
    }

    // MARK: Properties

    /// The properties of a message: flags that say which it has, then these, in this order (sections 4.2.6.1 and 1.8).
    mutating func put(propertiesOf message: borrowing Message) {
        guard let place = take(2) else { return }
        var flags: UInt16 = 0
        put(message.contentType, AMQP_BASIC_CONTENT_TYPE_FLAG, &flags)
        let extras = message.extras
        if let extras {
            put(extras.plain.contentEncoding, AMQP_BASIC_CONTENT_ENCODING_FLAG, &flags)
            if let encoded = extras.sendableHeaders {
                flags |= UInt16(AMQP_BASIC_HEADERS_FLAG)
                encoded.bytes.withUnsafeBytes { put(raw: $0) }
            } else if let headers = extras.headers {
                flags |= UInt16(AMQP_BASIC_HEADERS_FLAG)
                put(headers)
            }
        }
        if let mode = message.deliveryMode {
            flags |= UInt16(AMQP_BASIC_DELIVERY_MODE_FLAG)
            put(mode.rawValue)
        }
        if let priority = message.priority {
            flags |= UInt16(AMQP_BASIC_PRIORITY_FLAG)
            put(priority)
        }
        if let extras {
            put(extras.plain.correlationID, AMQP_BASIC_CORRELATION_ID_FLAG, &flags)
            put(extras.plain.replyTo, AMQP_BASIC_REPLY_TO_FLAG, &flags)
            put(extras.plain.expiration, AMQP_BASIC_EXPIRATION_FLAG, &flags)
            put(extras.plain.messageID, AMQP_BASIC_MESSAGE_ID_FLAG, &flags)
        }
        if let timestamp = message.timestampSeconds {
            flags |= UInt16(AMQP_BASIC_TIMESTAMP_FLAG)
            put(timestamp)
        }
        if let extras {
            put(extras.plain.type, AMQP_BASIC_TYPE_FLAG, &flags)
            put(extras.plain.userID, AMQP_BASIC_USER_ID_FLAG, &flags)
            put(extras.plain.appID, AMQP_BASIC_APP_ID_FLAG, &flags)
        }
        place.storeBytes(of: flags.bigEndian, as: UInt16.self)
    }

    @inline(__always)
    private mutating func put(_ text: String?, _ flag: CInt, _ flags: inout UInt16) {
        guard let text else { return }
        flags |= UInt16(flag)
        put(short: text)
    }

    // MARK: Tables

    /// A table behind its length of four bytes.
    ///
    /// - Parameter level: How many levels there are down to it, its own included.
    mutating func put(_ table: FieldTable, level: Int = 1) {
        guard level <= TableCheck.maxDepth else { return fail(.refused) }
        guard let place = take(4) else { return }
        let start = count
        let textKey = Message.streamFilterKey
        let textKeySize = textKey.utf8.count
        for (key, value) in table {
            // Compared by length first, which is there anyway.
            if level == 1, key.utf8.count == textKeySize, key == textKey, value.stringValue == nil {
                return fail(.refused)
            }
            put(short: key)
            put(value, level: level)
            guard failure == nil else { return }
        }
        place.storeBytes(of: UInt32(truncatingIfNeeded: count - start).bigEndian, as: UInt32.self)
    }

    private mutating func put(_ array: [FieldValue], level: Int) {
        guard level <= TableCheck.maxDepth else { return fail(.refused) }
        guard let place = take(4) else { return }
        let start = count
        for value in array {
            put(value, level: level)
            guard failure == nil else { return }
        }
        place.storeBytes(of: UInt32(truncatingIfNeeded: count - start).bigEndian, as: UInt32.self)
    }

    /// A value behind the letter of its type.
    ///
    /// - Parameter level: That of the table or array which holds it.
    private mutating func put(_ value: FieldValue, level: Int) {
        switch value {
        case .bool(let value): put(UInt8(ascii: "t"), UInt8(value ? 1 : 0))
        case .int8(let number): put(UInt8(ascii: "b"), number)
        case .uint8(let number): put(UInt8(ascii: "B"), number)
        case .int16(let number): put(UInt8(ascii: "s"), number)
        case .uint16(let number): put(UInt8(ascii: "u"), number)
        case .int32(let number): put(UInt8(ascii: "I"), number)
        case .uint32(let number): put(UInt8(ascii: "i"), number)
        case .int64(let number): put(UInt8(ascii: "l"), number)
        case .uint64(let number): put(UInt8(ascii: "L"), number)
        case .float(let number):
            guard number.isFinite else { return fail(.refused) }
            put(UInt8(ascii: "f"), number.bitPattern)
        case .double(let number):
            guard number.isFinite else { return fail(.refused) }
            put(UInt8(ascii: "d"), number.bitPattern)
        case .decimal(let scale, let unscaled):
            put(UInt8(ascii: "D"), scale)
            put(unscaled)
        case .string(let text):
            put(UInt8(ascii: "S"))
            put(long: text)
        case .bytes(let bytes):
            put(UInt8(ascii: "x"))
            bytes.withUnsafeBytes { put(long: $0) }
        case .array(let values):
            put(UInt8(ascii: "A"))
            put(values, level: level + 1)
        case .timestamp(let seconds): put(UInt8(ascii: "T"), seconds)
        case .table(let table):
            put(UInt8(ascii: "F"))
            put(table, level: level + 1)
        case .void: put(UInt8(ascii: "V"))
        }
    }

    // MARK: Fields

    @inline(__always)
    private mutating func put<Number: FixedWidthInteger & BitwiseCopyable>(_ number: Number) {
        take(MemoryLayout<Number>.size)?.storeBytes(of: number.bigEndian, as: Number.self)
    }

    /// A number behind the letter of its type.
    @inline(__always)
    private mutating func put<Number: FixedWidthInteger & BitwiseCopyable>(_ letter: UInt8, _ number: Number) {
        guard let place = take(1 + MemoryLayout<Number>.size) else { return }
        place.storeBytes(of: letter, as: UInt8.self)
        place.storeBytes(of: number.bigEndian, toByteOffset: 1, as: Number.self)
    }

    /// The bytes that a text stands for (``WireText``), behind a length of one byte.
    private mutating func put(short text: String) {
        var text = text
        text.withUTF8 { utf8 in
            let isASCII = WireText.isASCII(utf8)
            let size = isASCII ? utf8.count : WireText.count(utf8)
            guard size <= ShortString.maxBytes else {
                fail(.refused)
                return
            }
            guard let place = take(1 + size) else { return }
            place.storeBytes(of: UInt8(truncatingIfNeeded: size), as: UInt8.self)
            guard let source = utf8.baseAddress, size > 0 else { return }
            if isASCII {
                (place + 1).copyMemory(from: source, byteCount: size)
            } else {
                WireText.encode(utf8, to: (place + 1).assumingMemoryBound(to: UInt8.self))
            }
        }
    }

    private mutating func put(long text: String) {
        var text = text
        text.withUTF8 { put(long: UnsafeRawBufferPointer($0)) }
    }

    /// Bytes behind a length of four, which a frame's size keeps from being cut.
    private mutating func put(long bytes: UnsafeRawBufferPointer) {
        put(UInt32(truncatingIfNeeded: bytes.count))
        put(raw: bytes)
    }

    private mutating func put(raw bytes: UnsafeRawBufferPointer) {
        guard let place = take(bytes.count), let source = bytes.baseAddress else { return }
        place.copyMemory(from: source, byteCount: bytes.count)
    }
}
