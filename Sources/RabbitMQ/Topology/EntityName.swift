/// The rules for names of exchanges and queues, which are RabbitMQ's: up to 255 bytes of UTF-8.
///
/// The specification (AMQP 0-9-1, sections 1.6.2.1.2 and 1.7.2.1.2) allows ASCII letters, digits, `_`, `-`, `.` and `:`
/// only, and RabbitMQ says in its source that it does not hold to that: so other clients make names with commas, spaces,
/// slashes and letters of all kinds, which have to be usable here.
///
/// Refused are line feeds and carriage returns, which RabbitMQ takes out where it declares and deletes but not where it
/// consumes (`strip_cr_lf` in its `rabbit_channel`), so that another queue would be meant; and NUL, at which tools
/// written in C end a name.
enum EntityName {
    /// RabbitMQ's pseudo queue for direct replies.
    static let directReplyTo = "amq.rabbitmq.reply-to"

    /// Whether it is a name that RabbitMQ makes up for a queue that was declared without one.
    static func isServerNamed(_ name: String) -> Bool { name.hasPrefix("amq.gen-") }

    /// The name of something that exists, made by whatever client or by the broker.
    static func checkExisting(_ name: String, kind: String, code: AMQPError.Code) throws(AMQPError) {
        try ShortString.validateText(name, name: "the \(kind) name", code: code)
        guard !name.isEmpty else { throw AMQPError(code, "the \(kind) name is empty") }
        guard let sign = name.utf8.first(where: { $0 == 0 || $0 == 10 || $0 == 13 }) else { return }
        let what = sign == 0 ? "a NUL character" : sign == 10 ? "a line feed" : "a carriage return"
        throw AMQPError(code, "the \(kind) name \"\(name.printable())\" holds \(what)")
    }

    static func checkExchange(_ name: String, isPassive: Bool) throws(AMQPError) {
        try check(name, kind: "exchange", code: .invalidExchangeName, isPassive: isPassive)
    }

    static func checkQueue(_ name: String, isPassive: Bool) throws(AMQPError) {
        guard name != directReplyTo else { return }
        try check(name, kind: "queue", code: .invalidName, isPassive: isPassive)
    }

    /// Names that begin with `amq.` are kept for brokers, and can only be looked up.
    private static func check(
        _ name: String,
        kind: String,
        code: AMQPError.Code,
        isPassive: Bool
    ) throws(AMQPError) {
        try checkExisting(name, kind: kind, code: code)
        guard isPassive || !name.utf8.starts(with: "amq.".utf8) else {
            throw AMQPError(
                code,
                "the \(kind) name \"\(name.printable())\" begins with \"amq.\", which is kept for brokers"
            )
        }
    }
}
