internal import RabbitMQ

/// Why the broker closes a channel, or the whole connection if the code is one of a connection's.
struct Refusal: Error, Equatable {
    var code: ReplyCode
    /// What stands behind the code's name in the reply text.
    var text: String

    init(_ code: ReplyCode, _ text: String) {
        self.code = code
        self.text = text
    }

    static func notFound(queue name: String) -> Refusal { Refusal(.notFound, "no queue '\(name)' in vhost '/'") }

    static func notFound(exchange name: String) -> Refusal { Refusal(.notFound, "no exchange '\(name)' in vhost '/'") }

    /// As RabbitMQ words it: the code's name in capitals, then what is wrong. Cut to what a short string takes.
    var replyText: String {
        var result = "\(code.constantName) - \(text)"
        while result.utf8.count > 255 { result.removeLast() }
        return result
    }
}

extension ReplyCode {
    /// The name of the code as RabbitMQ writes it in front of a text.
    var constantName: String {
        let words = description.split(separator: " ")
        guard words.count > 1 else { return description }
        return words[1].uppercased().replacing("-", with: "_")
    }
}
