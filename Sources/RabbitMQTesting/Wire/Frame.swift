internal import RabbitMQ

/// A frame as a client sends it (AMQP 0-9-1, section 2.3.5).
struct Frame: Equatable {
    enum Kind: UInt8 {
        case method = 1
        case header = 2
        case body = 3
        case heartbeat = 8
    }

    var kind: Kind
    var channel: UInt16
    var payload: ArraySlice<UInt8>

    static let end: UInt8 = 0xCE
    /// What a frame has around its payload.
    static let overhead = 8

    /// Appends a frame as it goes over the wire.
    static func append(_ kind: Kind, channel: UInt16, _ payload: some Collection<UInt8>, to bytes: inout [UInt8]) {
        var head = WireWriter()
        head.octet(kind.rawValue)
        head.short(channel)
        head.long(UInt32(clamping: payload.count))
        bytes += head.bytes
        bytes += payload
        bytes.append(end)
    }
}

/// Cuts what a client sends into frames.
struct FrameSplitter {
    private var bytes: [UInt8] = []
    private var offset = 0

    mutating func append(_ new: some Collection<UInt8>) {
        if offset > 0 {
            bytes.removeFirst(offset)
            offset = 0
        }
        bytes += new
    }

    /// Takes the eight bytes with which a client begins; nil if they have not come whole.
    mutating func takeProtocolHeader() -> [UInt8]? {
        guard bytes.count - offset >= 8 else { return nil }
        defer { offset += 8 }
        return Array(bytes[offset..<offset + 8])
    }

    /// Takes the next frame; nil if it has not come whole.
    mutating func next(frameMax: Int) throws(Refusal) -> Frame? {
        guard bytes.count - offset >= 7 else { return nil }
        var reader = WireReader(bytes[offset..<offset + 7])
        guard let kind = Frame.Kind(rawValue: try reader.octet()) else {
            throw Refusal(.frameError, "a frame of an unknown type")
        }
        let channel = try reader.short()
        let size = Int(try reader.long())
        guard size + Frame.overhead <= frameMax else {
            throw Refusal(.frameError, "a frame of \(size + Frame.overhead) bytes, the most is \(frameMax)")
        }
        let start = offset + 7
        guard bytes.count > start + size else { return nil }
        guard bytes[start + size] == Frame.end else { throw Refusal(.frameError, "a frame without its end") }
        offset = start + size + 1
        return Frame(kind: kind, channel: channel, payload: bytes[start..<start + size])
    }
}
