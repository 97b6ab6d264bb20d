/// A frame as the scripted peer sends and sees it: made and taken apart here, without the library's own code.
public struct PeerFrame: Sendable, Equatable, CustomStringConvertible {
    public enum Kind {
        public static let method: UInt8 = 1
        public static let header: UInt8 = 2
        public static let body: UInt8 = 3
        public static let heartbeat: UInt8 = 8
    }

    public var type: UInt8
    public var channel: UInt16
    public var payload: [UInt8]

    public init(type: UInt8, channel: UInt16, payload: [UInt8]) {
        self.type = type
        self.channel = channel
        self.payload = payload
    }

    /// As it goes over the wire.
    public var bytes: [UInt8] {
        var writer = PeerWriter()
        writer.octet(type)
        writer.short(channel)
        writer.long(UInt32(payload.count))
        return writer.bytes + payload + [0xCE]
    }

    /// The method, if it is a method frame.
    public var method: PeerMethod? {
        guard type == Kind.method, payload.count >= 4 else { return nil }
        var reader = PeerReader(payload)
        return PeerMethod(reader.short(), reader.short())
    }

    /// The fields behind the method's number.
    public var fields: PeerReader { PeerReader(Array(payload.dropFirst(4))) }

    public var description: String {
        switch type {
        case Kind.method: "\(method?.description ?? "malformed method") on channel \(channel)"
        case Kind.header: "content header on channel \(channel)"
        case Kind.body: "body of \(payload.count) bytes on channel \(channel)"
        case Kind.heartbeat: "heartbeat"
        default: "frame of type \(type) on channel \(channel)"
        }
    }
}

extension PeerFrame {
    public static func method(
        _ method: PeerMethod,
        channel: UInt16,
        _ fields: (inout PeerWriter) -> Void = { _ in }
    ) -> PeerFrame {
        var writer = PeerWriter()
        writer.short(method.classID)
        writer.short(method.methodID)
        fields(&writer)
        return PeerFrame(type: Kind.method, channel: channel, payload: writer.bytes)
    }

    /// A content header; without properties by default.
    public static func header(channel: UInt16, bodySize: UInt64, properties: [UInt8] = [0, 0]) -> PeerFrame {
        var writer = PeerWriter()
        writer.short(60)
        writer.short(0)
        writer.longLong(bodySize)
        return PeerFrame(type: Kind.header, channel: channel, payload: writer.bytes + properties)
    }

    public static func body(channel: UInt16, _ bytes: [UInt8]) -> PeerFrame {
        PeerFrame(type: Kind.body, channel: channel, payload: bytes)
    }

    public static var heartbeat: PeerFrame { PeerFrame(type: Kind.heartbeat, channel: 0, payload: []) }

    /// basic.deliver, header and, unless the body is empty, one body frame.
    public static func delivery(
        _ body: [UInt8],
        tag: UInt64,
        consumer: String,
        channel: UInt16 = 1,
        exchange: String = "",
        routingKey: String = "key"
    ) -> [PeerFrame] {
        let deliver = method(.basicDeliver, channel: channel) {
            $0.shortString(consumer)
            $0.longLong(tag)
            $0.octet(0)
            $0.shortString(exchange)
            $0.shortString(routingKey)
        }
        return [deliver] + content(body, channel: channel)
    }

    /// basic.get-ok from the queue `q`, header and, unless the body is empty, one body frame.
    public static func gotten(_ body: [UInt8], tag: UInt64, channel: UInt16 = 1) -> [PeerFrame] {
        let getOk = method(.basicGetOk, channel: channel) {
            $0.longLong(tag)
            $0.octet(0)
            $0.shortString("")
            $0.shortString("q")
            $0.long(0)
        }
        return [getOk] + content(body, channel: channel)
    }

    /// Takes the frames off the beginning that have come whole.
    public static func cut(from bytes: inout [UInt8]) -> [PeerFrame] {
        var frames: [PeerFrame] = []
        var offset = 0
        while bytes.count - offset >= 8 {
            var reader = PeerReader(Array(bytes[offset..<offset + 7]))
            let type = reader.octet()
            let channel = reader.short()
            let end = offset + 7 + Int(reader.long())
            guard end < bytes.count else { break }
            // A frame that does not end as it should has a type that no test expects.
            let isWhole = bytes[end] == 0xCE
            let payload = Array(bytes[offset + 7..<end])
            frames.append(PeerFrame(type: isWhole ? type : 0xFF, channel: channel, payload: payload))
            offset = end + 1
        }
        bytes.removeFirst(offset)
        return frames
    }

    private static func content(_ body: [UInt8], channel: UInt16) -> [PeerFrame] {
        let header = header(channel: channel, bodySize: UInt64(body.count))
        return body.isEmpty ? [header] : [header, .body(channel: channel, body)]
    }
}

/// Puts fields together.
public struct PeerWriter {
    public private(set) var bytes: [UInt8] = []

    public init() {}

    public mutating func octet(_ value: UInt8) { bytes.append(value) }
    public mutating func short(_ value: UInt16) { append(value) }
    public mutating func long(_ value: UInt32) { append(value) }
    public mutating func longLong(_ value: UInt64) { append(value) }
    public mutating func raw(_ value: [UInt8]) { bytes += value }

    public mutating func shortString(_ text: String) {
        octet(UInt8(text.utf8.count))
        bytes += Array(text.utf8)
    }

    public mutating func longString(_ text: String) {
        long(UInt32(text.utf8.count))
        bytes += Array(text.utf8)
    }

    /// A table or an array from its encoded entries.
    public mutating func block(_ entries: [UInt8]) {
        long(UInt32(entries.count))
        bytes += entries
    }

    private mutating func append<T: FixedWidthInteger>(_ value: T) {
        for shift in stride(from: T.bitWidth - 8, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> T(shift)))
        }
    }
}

/// Takes fields apart. What is missing reads as zero: a test that compares finds that.
public struct PeerReader: Sendable {
    public private(set) var rest: ArraySlice<UInt8>

    public init(_ bytes: [UInt8]) { rest = bytes[...] }

    public mutating func octet() -> UInt8 { UInt8(number(1)) }
    public mutating func short() -> UInt16 { UInt16(number(2)) }
    public mutating func long() -> UInt32 { UInt32(number(4)) }
    public mutating func longLong() -> UInt64 { number(8) }

    public mutating func shortString() -> String { String(decoding: take(Int(octet())), as: UTF8.self) }
    public mutating func longString() -> [UInt8] { take(Int(long())) }

    private mutating func number(_ count: Int) -> UInt64 { take(count).reduce(0) { $0 << 8 | UInt64($1) } }

    private mutating func take(_ count: Int) -> [UInt8] {
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }
}
