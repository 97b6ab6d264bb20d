/// Short strings as text, byte for byte.
///
/// AMQP says that they are UTF-8 (0-9-1, section 4.2.5.3), but brokers pass on whatever bytes they get, and other clients
/// put some there: 16 random ones as a correlation id. A `String` can't hold these, and one mended with U+FFFD is another
/// one: its caller would wait for ever. So each byte that is not part of UTF-8 becomes two of the noncharacters that
/// Unicode leaves to programs for their own use (The Unicode Standard, section 23.7), and these the byte again.
///
/// A noncharacter that comes over the wire is taken apart into its bytes in the same way, so that no two byte strings
/// become the same text. What is ASCII, as nearly all of it, costs one look at it.
enum WireText {
    /// U+FDD8 to U+FDDF stand for the upper four bits of a byte from 0x80, U+FDE0 to U+FDEF for the lower ones. In UTF-8
    /// all of them begin with these two bytes.
    private static let lead: (UInt8, UInt8) = (0xEF, 0xB7)
    private static let upper: ClosedRange<UInt8> = 0x98...0x9F
    private static let lower: ClosedRange<UInt8> = 0xA0...0xAF

    /// How many bytes of UTF-8 a byte takes.
    private static let width = 6

    /// Eight bytes at a time; the last ones overlap those before them, so that no loop goes over single bytes.
    @inline(__always)
    static func isASCII(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        let raw = UnsafeRawBufferPointer(bytes)
        let count = raw.count
        guard count >= 8 else {
            if count >= 4 {
                let both =
                    raw.loadUnaligned(as: UInt32.self) | raw.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self)
                return both & 0x8080_8080 == 0
            }
            return count == 0 || (raw[0] | raw[count / 2] | raw[count - 1]) & 0x80 == 0
        }
        var all = raw.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
        var offset = 0
        while offset + 8 < count {
            all |= raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            offset += 8
        }
        return all & 0x8080_8080_8080_8080 == 0
    }

    /// The byte that two scalars stand for, if they do.
    static func byte(_ first: Unicode.Scalar, _ second: Unicode.Scalar) -> UInt8? {
        guard (0xFDD8...0xFDDF).contains(first.value), (0xFDE0...0xFDEF).contains(second.value) else { return nil }
        return UInt8(truncatingIfNeeded: (first.value & 0x0F) << 4 | second.value & 0x0F)
    }

    // MARK: From the wire

    /// The text that bytes are which are not ASCII.
    @inline(never)
    static func decode(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
        if !bytes.contains(lead.0), let text = String(validating: bytes, as: UTF8.self) { return text }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + 4 * width)
        var parser = Unicode.UTF8.ForwardParser()
        var iterator = bytes.makeIterator()
        var offset = 0
        while true {
            switch parser.parseScalar(from: &iterator) {
            case .valid(let scalar):
                let piece = bytes[offset..<offset + scalar.count]
                if isNoncharacter(piece) { escape(piece, into: &result) } else { result += piece }
                offset += scalar.count
            case .error(let length):
                escape(bytes[offset..<offset + length], into: &result)
                offset += length
            case .emptyInput: return String(decoding: result, as: UTF8.self)
            }
        }
    }

    private static func isNoncharacter(_ scalar: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
        let start = scalar.startIndex
        guard scalar.count == 3, scalar[start] == lead.0, scalar[start + 1] == lead.1 else { return false }
        return upper.contains(scalar[start + 2]) || lower.contains(scalar[start + 2])
    }

    private static func escape(_ bytes: some Sequence<UInt8>, into result: inout [UInt8]) {
        for byte in bytes { result += [lead.0, lead.1, 0x90 | byte >> 4, lead.0, lead.1, 0xA0 | byte & 0x0F] }
    }

    // MARK: To the wire

    /// Puts the bytes in the place of the noncharacters that stand for them.
    ///
    /// - Returns: How many bytes are left.
    static func encode(_ text: UnsafeMutableBufferPointer<UInt8>) -> Int {
        guard let target = text.baseAddress else { return 0 }
        return encode(UnsafeBufferPointer(text), to: target)
    }

    /// Writes the bytes that a text with this UTF-8 has on the wire.
    ///
    /// - Parameter target: Has room for them, or is where the text lies, in whose place they come then.
    /// - Returns: How many there are.
    @inline(never)
    @discardableResult
    static func encode(_ utf8: UnsafeBufferPointer<UInt8>, to target: UnsafeMutablePointer<UInt8>) -> Int {
        var (from, to) = (0, 0)
        while from < utf8.count {
            if let byte = escapedByte(utf8, at: from) {
                target[to] = byte
                from += width
            } else {
                target[to] = utf8[from]
                from += 1
            }
            to += 1
        }
        return to
    }

    /// How many bytes a text has on the wire.
    static func count(_ text: String) -> Int {
        var text = text
        return text.withUTF8 { isASCII($0) ? $0.count : count($0) }
    }

    /// How many bytes a text with this UTF-8 has on the wire.
    @inline(never)
    static func count(_ utf8: UnsafeBufferPointer<UInt8>) -> Int {
        var (from, count) = (0, 0)
        while from < utf8.count {
            from += escapedByte(utf8, at: from) == nil ? 1 : width
            count += 1
        }
        return count
    }

    /// The byte from 0x80 that stands at an offset as two noncharacters.
    @inline(__always)
    private static func escapedByte(_ bytes: UnsafeBufferPointer<UInt8>, at offset: Int) -> UInt8? {
        guard bytes[offset] == lead.0, offset + width <= bytes.count, bytes[offset + 1] == lead.1,
            upper.contains(bytes[offset + 2]), bytes[offset + 3] == lead.0, bytes[offset + 4] == lead.1,
            lower.contains(bytes[offset + 5])
        else { return nil }
        return bytes[offset + 2] << 4 | bytes[offset + 5] & 0x0F
    }
}

extension String {
    /// The text that the bytes of a short string are.
    @inline(__always)
    init(wire bytes: UnsafeBufferPointer<UInt8>) {
        self = WireText.isASCII(bytes) ? String(decoding: bytes, as: UTF8.self) : WireText.decode(bytes)
    }

    /// Makes text of the bytes of a message's property, or of a key in its headers: UTF-8 as a rule, which nobody checks.
    ///
    /// Bytes that are not UTF-8 are kept, as pairs of Unicode's noncharacters U+FDD8 to U+FDEF, which become the bytes
    /// again when the message is sent. Names, routing keys and consumer tags have to be text: RabbitMQ closes the
    /// connection over others, which are therefore refused.
    ///
    /// ```swift
    /// let request = Message(body: body, correlationID: String(amqpBytes: randomBytes))
    /// ```
    ///
    /// - Parameter bytes: The bytes, at most 255 of which fit into a short string.
    public init(amqpBytes bytes: some Sequence<UInt8>) {
        self = Array(bytes).withUnsafeBufferPointer { String(wire: $0) }
    }

    /// The bytes that the text has on the wire as a message's property: those that came from the peer, or that it was made
    /// of with ``init(amqpBytes:)``; otherwise its UTF-8.
    ///
    /// ```swift
    /// let id = message.correlationID?.amqpBytes
    /// ```
    public var amqpBytes: [UInt8] {
        var bytes = Array(utf8)
        let count = bytes.withUnsafeMutableBufferPointer { WireText.encode($0) }
        bytes.removeLast(bytes.count - count)
        return bytes
    }
}
