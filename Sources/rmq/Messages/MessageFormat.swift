#if Tool
internal import Foundation
internal import RabbitMQ

/// How a message is written, as one says it with letters: `%k: %b\n`.
struct MessageFormat {
    private enum Part {
        case text([UInt8])
        case letter(Character)
        case header(String)
    }

    static let help = """
        %b body, %k routing key, %x exchange, %n number from 1, %s bytes of the body, %i message id, %c correlation id, \
        %a reply to, %t type, %y content type, %T time stamp, %p priority, %r redelivered, %o stream offset, %D reason of \
        the last death, %h{name} a header, %j all as JSON, %% the sign; \\n, \\t, \\0, \\\\
        """

    private var parts: [Part] = []

    /// Why a text is no format.
    struct Problem: Error, CustomStringConvertible {
        let description: String
    }

    init(_ text: String) throws {
        var rest = text[...]
        while let sign = rest.popFirst() {
            switch sign {
            case "\\":
                let escapes: [Character: String] = ["n": "\n", "t": "\t", "0": "\0", "r": "\r", "\\": "\\"]
                guard let letter = rest.popFirst(), let meaning = escapes[letter] else {
                    throw Problem(description: "a \\ is followed by n, t, r, 0 or \\")
                }
                parts.append(.text(Array(meaning.utf8)))
            case "%":
                guard let letter = rest.popFirst(), "bkxnsicatyTproDhj%".contains(letter) else {
                    throw Problem(description: "after a % comes one of: \(Self.help)")
                }
                guard letter == "h" else {
                    parts.append(letter == "%" ? .text([UInt8(ascii: "%")]) : .letter(letter))
                    continue
                }
                guard rest.first == "{", let end = rest.firstIndex(of: "}") else {
                    throw Problem(description: "a header is written %h{name}")
                }
                parts.append(.header(String(rest[rest.index(after: rest.startIndex)..<end])))
                rest = rest[rest.index(after: end)...]
            default: parts.append(.text(Array(String(sign).utf8)))
            }
        }
    }

    func bytes(_ message: IncomingMessage, number: Int) throws -> [UInt8] {
        try parts.flatMap { part -> [UInt8] in
            switch part {
            case .text(let bytes): bytes
            case .header(let name): Terminal.shown(Array((message.headers?[name]?.text ?? "").utf8))
            case .letter("b"): Terminal.shown(message.body)
            case .letter("j"): Terminal.shown(Array(try MessageRecord(message).line().utf8))
            case .letter(let letter): Terminal.shown(Array(Self.text(letter, message, number).utf8))
            }
        }
    }

    private static func text(_ letter: Character, _ message: IncomingMessage, _ number: Int) -> String {
        switch letter {
        case "k": message.routingKey
        case "x": message.exchangeName
        case "n": "\(number)"
        case "s": "\(message.body.count)"
        case "i": message.messageID ?? ""
        case "c": message.correlationID ?? ""
        case "a": message.replyTo ?? ""
        case "t": message.type ?? ""
        case "y": message.contentType ?? ""
        case "T": message.timestamp?.text ?? ""
        case "p": message.priority.map { "\($0)" } ?? ""
        case "r": "\(message.redelivered)"
        case "o": message.message.streamOffset.map { "\($0)" } ?? ""
        case "D": message.message.deaths.first?.reason.rawValue ?? ""
        default: ""
        }
    }
}
#endif
