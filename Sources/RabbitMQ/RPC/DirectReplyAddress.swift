#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif
internal import Synchronization

/// The addresses that RabbitMQ makes for direct replies: `amq.rabbitmq.reply-to.`, an Erlang process in base64, a dot, a
/// key.
///
/// RabbitMQ (seen with 3.10) closes the connection of whoever publishes to one that it can't take apart, with 541. A
/// server publishes to whatever a request names, so that one bad request would end it, come back, and end the next
/// server. So what has the outside of such an address must have its inside too.
enum DirectReplyAddress {
    private static let prefix = EntityName.directReplyTo + "."

    /// Whether a reply may be published to `address`, whatever becomes of it there.
    static func isHarmless(_ address: String) -> Bool {
        guard address.hasPrefix(prefix) else { return true }
        let parts = address.dropFirst(prefix.count).split(separator: ".")
        // RabbitMQ takes two parts only, and ignores what has more or less.
        guard parts.count == 2 else { return true }
        return Data(base64Encoded: String(parts[0])).map { isProcess($0) } ?? false
    }

    /// Whether these are a process in Erlang's external term format: NEW_PID_EXT or PID_EXT, an atom that names its node
    /// as `name@number`, and 12 or 9 more bytes.
    private static func isProcess(_ data: Data) -> Bool {
        let bytes = Array(data)
        guard bytes.count > 5, bytes[0] == 131, bytes[1] == 88 || bytes[1] == 103 else { return false }
        let rest = bytes[1] == 88 ? 12 : 9
        let start: Int
        let length: Int
        switch bytes[2] {
        case 100, 118:
            start = 5
            length = Int(bytes[3]) << 8 | Int(bytes[4])
        case 115, 119:
            start = 4
            length = Int(bytes[3])
        default: return false
        }
        guard bytes.count == start + length + rest else { return false }
        let name = bytes[start..<start + length]
        guard let at = name.firstIndex(of: UInt8(ascii: "@")) else { return false }
        let number = name[(at + 1)...]
        return !number.isEmpty && number.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }
}

/// Looks at the addresses that requests name, and remembers the last one that was harmless: all requests of a client have the
/// same.
final class ReplyAddresses: Sendable {
    private let last = Mutex("")

    /// Whether a reply may be published to `address`: see ``DirectReplyAddress``.
    func isHarmless(_ address: String) -> Bool {
        if isLast(address) { return true }
        guard DirectReplyAddress.isHarmless(address) else { return false }
        // Of others than ASCII `==` would not tell whether they have the same bytes: see `isLast`.
        if address.utf8.allSatisfy({ $0 < 0x80 }) { last.withLock { $0 = address } }
        return true
    }

    /// Whether it is the address that is remembered, byte for byte: every other spelling of an ASCII text has more bytes.
    private func isLast(_ address: String) -> Bool {
        last.withLock { $0.utf8.count == address.utf8.count && $0 == address }
    }
}
