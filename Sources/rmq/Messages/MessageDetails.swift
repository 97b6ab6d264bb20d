#if Tool
internal import Foundation
internal import RabbitMQ

extension Date {
    /// As ISO 8601 writes it; the seconds since 1970 where its years don't reach: a sender can write any number.
    var text: String {
        let seconds = timeIntervalSince1970
        return (0..<253_402_300_800).contains(seconds) ? formatted(.iso8601) : String(format: "%.0f", seconds)
    }
}

/// A message in lines for people: where it came from, its properties, its deaths, its body.
struct MessageDetails {
    let message: IncomingMessage
    let number: Int

    var text: String {
        let lines = [Terminal.coloured(head, .green)] + properties + headers + deaths + [bodyText]
        return Terminal.isColourful ? lines.joined(separator: "\n") : Terminal.harmless(lines.joined(separator: "\n"))
    }

    private var head: String {
        let exchange = message.exchangeName.isEmpty ? "" : " from the exchange \(message.exchangeName)"
        var facts = ["\(message.body.count) bytes"]
        facts += [message.contentType, message.contentEncoding].compactMap(\.self)
        if message.deliveryMode == .persistent { facts.append("persistent") }
        if let priority = message.priority { facts.append("priority \(priority)") }
        if message.redelivered { facts.append("redelivered") }
        return Terminal.harmless("#\(number) \(message.routingKey)\(exchange): \(facts.joined(separator: ", "))")
    }

    private var properties: [String] {
        [
            ("message id", message.messageID), ("correlation id", message.correlationID), ("reply to", message.replyTo),
            ("type", message.type), ("app id", message.appID), ("user id", message.userID),
            ("expiration", message.expiration.map { "\($0) ms" }),
            ("time stamp", message.timestamp?.text),
            ("stream offset", message.message.streamOffset.map { "\($0)" }),
        ].compactMap { name, value in value.map { Terminal.harmless("  \(name): \($0)") } }
    }

    private var headers: [String] {
        (message.headers ?? [:]).filter { name, _ in !name.hasPrefix("x-death") && !name.hasPrefix("x-first-death") }
            .sorted { $0.key < $1.key }
            .map { Terminal.harmless("  header \($0.key): \($0.value.text)") }
    }

    private var deaths: [String] {
        message.message.deaths.map { death in
            let time = death.time.map { ", last \($0.text)" } ?? ""
            let exchange = death.exchange.isEmpty ? "" : ", published to the exchange \(death.exchange)"
            let keys = death.routingKeys.joined(separator: ", ")
            return Terminal.harmless(
                "  died in \(death.queue): \(death.reason), \(death.count) times\(time)\(exchange) by \(keys)"
            )
        }
    }

    /// Text as it is; of other bytes the first ones.
    private var bodyText: String {
        guard let text = String(validating: message.body, as: UTF8.self) else {
            let bytes = message.body.prefix(32).map { String(format: "%02x", $0) }.joined(separator: " ")
            return "  \(bytes)\(message.body.count > 32 ? " ..." : "")"
        }
        return Terminal.harmless("  " + text.replacingOccurrences(of: "\n", with: "\n  "))
    }
}
#endif
