/// Where frames begin and end in the bytes received (AMQP 0-9-1, section 2.3.5).
struct FrameScanner {
    enum Kind: UInt8 {
        case method = 1
        case header = 2
        case body = 3
        case heartbeat = 8
    }

    /// One whole frame. `payload` is a range of the scanned bytes.
    struct Frame: Equatable {
        var kind: Kind
        var channel: UInt16
        var payload: Range<Int>
    }

    enum Step: Equatable {
        case frame(Frame, next: Int)
        /// The frame at hand is not all there.
        case incomplete
        case malformed(String)
    }

    /// What a frame has around its payload: type, channel and size before, the end octet behind.
    static let overhead = 8
    private static let headerSize = 7
    private static let endOctet: UInt8 = 0xCE

    /// The size of the largest frame that is accepted, in bytes, envelope included, but for those with content headers.
    var frameMax: Int

    /// Whether the connection is open: before, no content may come, and a peer that nobody knows yet gets no more memory.
    var isOpen = true

    /// The size of the largest frame with a content header that is accepted, on a channel of an open connection. RabbitMQ
    /// cuts bodies to what was agreed on, and never headers: a publisher's frames may be larger, and a message's record of
    /// its deaths makes its headers longer. To refuse one would end the connection with each delivery of the message.
    static let largestHeader = 1 << 20

    /// Finds the frame that begins at `offset`.
    @inline(__always)
    func next(in bytes: UnsafeRawBufferPointer, from offset: Int) -> Step {
        let available = bytes.count - offset
        guard available >= Self.headerSize else {
            // "AMQP" comes from a peer that refuses the protocol version; it sends 8 bytes and closes.
            return available > 0 && bytes[offset] == UInt8(ascii: "A") ? refusal(bytes, offset) : .incomplete
        }
        guard let kind = Kind(rawValue: bytes[offset]) else {
            switch bytes[offset] {
            case UInt8(ascii: "A"): return refusal(bytes, offset)
            // An alert of TLS (RFC 8446, section 5.1): its answer to our protocol header.
            case 21 where bytes[offset + 1] == 3:
                return .malformed("TLS where AMQP was expected: is it a port with TLS?")
            default: return .malformed("a frame of the unknown type \(bytes[offset])")
            }
        }
        let channel = bytes.bigEndian(UInt16.self, at: offset + 1)
        let size = Int(bytes.bigEndian(UInt32.self, at: offset + 3))
        guard size + Self.overhead <= frameMax || isLargeHeader(kind, channel, size) else {
            return .malformed("a frame of \(size + Self.overhead) bytes, where \(frameMax) are the most agreed on")
        }
        guard available >= size + Self.overhead else { return .incomplete }
        let start = offset + Self.headerSize
        guard bytes[start + size] == Self.endOctet else {
            return .malformed("a frame of \(size) bytes that has no frame-end octet")
        }
        return .frame(Frame(kind: kind, channel: channel, payload: start..<start + size), next: start + size + 1)
    }

    /// Whether a frame that is larger than agreed on is a content header that is accepted all the same.
    @inline(never)
    private func isLargeHeader(_ kind: Kind, _ channel: UInt16, _ size: Int) -> Bool {
        isOpen && kind == .header && channel != 0 && size + Self.overhead <= Self.largestHeader
    }

    private func refusal(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> Step {
        guard bytes.count - offset >= 8 else { return .incomplete }
        let version = bytes[(offset + 5)..<(offset + 8)].map(String.init).joined(separator: "-")
        return .malformed("a protocol header, as one does that speaks another protocol or version (\(version))")
    }
}
