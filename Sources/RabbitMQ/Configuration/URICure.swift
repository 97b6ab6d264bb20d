/// What to write instead, for the errors of ``URIReader``.
enum URICure {
    static let severalHosts = "several hosts go to the configuration's `endpoints`"

    /// `%23`
    static func escape(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 16, uppercase: true)
        return "%" + (digits.utf8.count < 2 ? "0" + digits : digits)
    }

    /// What nobody sees by its name; nil for any other byte.
    static func whiteSpace(_ byte: UInt8) -> String? {
        switch byte {
        case 0x20: "a space"
        case 0x09: "a tab"
        case 0x0A: "a line feed"
        case 0x0D: "a carriage return"
        default: nil
        }
    }

    /// How a sign is written that separates, or that nobody sees; nil for any other, which may be all of a password.
    static func encoding(of byte: UInt8) -> String? {
        if let name = whiteSpace(byte) { return "\(name) is written \(escape(byte))" }
        let name: String
        switch byte {
        case UInt8(ascii: "/"), UInt8(ascii: "?"), UInt8(ascii: "#"), UInt8(ascii: "@"), UInt8(ascii: ":"),
            UInt8(ascii: "["), UInt8(ascii: "]"):
            name = "a '\(Unicode.Scalar(byte))'"
        default: return nil
        }
        return "\(name) is written \(escape(byte))"
    }

    /// What to do about a beginning that is no scheme of AMQP. Nothing is quoted: it may be a password.
    static func scheme(of bytes: [UInt8]) -> String {
        let others = [
            "http://", "https://", "mqtt://", "mqtts://", "stomp://", "rabbitmq-stream://", "ws://", "wss://",
        ]
        let start = String(decoding: bytes.prefix(20), as: UTF8.self).lowercased()
        if let other = others.first(where: { start.hasPrefix($0) }) { return ", but with \(other), another protocol's" }
        if bytes.isEmpty { return ": it is empty" }
        if let first = bytes.first, first <= 0x20 { return ", but with white space" }
        let hasScheme = bytes.indices.contains { bytes[$0...].starts(with: "://".utf8) }
        return hasScheme ? "" : ": put one of them before it"
    }
}
