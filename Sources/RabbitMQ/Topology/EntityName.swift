/// The rules for names that the reference API has: letters, digits, `_`, `-`, `.` and `:`, ASCII only, not beginning
/// with `amq.`, which brokers keep for themselves: such a name can only be looked up (AMQP 0-9-1, sections 1.6.2.1 and
/// 1.7.2.1).
enum EntityName {
    /// RabbitMQ's pseudo queue for direct replies.
    static let directReplyTo = "amq.rabbitmq.reply-to"

    /// Whether it is a name that RabbitMQ makes up for a queue that was declared without one.
    static func isServerNamed(_ name: String) -> Bool { name.hasPrefix("amq.gen-") }

    /// The name of something that exists, made by whatever client: other characters are possible then.
    static func checkExisting(_ name: String, kind: String, code: AMQPError.Code) throws(AMQPError) {
        try ShortString.validateText(name, name: "\(kind) name", code: code)
        guard !name.isEmpty else { throw AMQPError(code, "the \(kind) name is empty") }
    }

    static func checkExchange(_ name: String, isPassive: Bool) throws(AMQPError) {
        try check(name, kind: "exchange", code: .invalidExchangeName, alsoAllowed: [], isPassive: isPassive)
    }

    /// Queues may have `*` in their names too.
    static func checkQueue(_ name: String, isPassive: Bool) throws(AMQPError) {
        guard name != directReplyTo else { return }
        try check(name, kind: "queue", code: .invalidName, alsoAllowed: [UInt8(ascii: "*")], isPassive: isPassive)
    }

    private static func check(
        _ name: String,
        kind: String,
        code: AMQPError.Code,
        alsoAllowed: [UInt8],
        isPassive: Bool
    ) throws(AMQPError) {
        try ShortString.validateText(name, name: "\(kind) name", code: code)
        guard !name.isEmpty else { throw AMQPError(code, "the \(kind) name is empty") }
        guard isPassive || !name.hasPrefix("amq.") else {
            throw AMQPError(code, "the \(kind) name \"\(name)\" begins with \"amq.\", which is kept for brokers")
        }
        guard name.utf8.allSatisfy({ isWordOrSign($0) || alsoAllowed.contains($0) }) else {
            throw AMQPError(
                code,
                "the \(kind) name \(name.debugDescription) has characters other than A-Z a-z 0-9 _ - . :"
            )
        }
    }

    private static func isWordOrSign(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "_-.:".utf8.contains(byte)
        }
    }
}
