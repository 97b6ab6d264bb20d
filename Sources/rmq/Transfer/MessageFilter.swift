#if Tool
internal import ArgumentParser
internal import Foundation
internal import RabbitMQ

/// Which messages a command is about.
struct MessageFilter: ParsableArguments {
    @Option(
        name: .customLong("header"),
        help: ArgumentHelp(
            "Only messages with this header, or with this value of it; repeatable.",
            valueName: "name[=value]"
        )
    )
    var headers: [String] = []

    @Option(
        help: ArgumentHelp(
            "Only those that died of this: rejected, expired, maxlen, delivery_limit.",
            valueName: "reason"
        )
    )
    var reason: String?

    @Option(help: ArgumentHelp("Only those that died in this queue, or were parked from it.", valueName: "queue"))
    var diedIn: String?

    @Option(help: ArgumentHelp("Only those with this routing key.", valueName: "key"))
    var key: String?

    @Option(
        help: ArgumentHelp(
            "Only those that died, were parked, or else were published, at least so long ago: 90s, 5m, 2h, 7d.",
            valueName: "time"
        )
    )
    var olderThan: Span?

    @Option(
        help: ArgumentHelp(
            "Only those that died, were parked, or else were published, at most so long ago.",
            valueName: "time"
        )
    )
    var youngerThan: Span?

    func validate() throws {
        if let header = headers.first(where: { $0.hasPrefix("=") || $0.isEmpty }) {
            throw ValidationError("--header \(header): it begins with the header's name.")
        }
        if let olderThan, let youngerThan, olderThan.duration > youngerThan.duration {
            throw ValidationError("Nothing is older than \(olderThan) and younger than \(youngerThan).")
        }
    }

    /// Whether all messages match.
    var isEmpty: Bool {
        headers.isEmpty && reason == nil && diedIn == nil && key == nil && olderThan == nil && youngerThan == nil
    }

    func matches(_ message: Message, routingKey: String, now: Date = Date()) -> Bool {
        let death = message.deaths.first
        // Of what a RetryPolicy has parked the broker knows no death: its own headers say where it failed, and when.
        let parked = death == nil ? message.parked : nil
        if let key, routingKey != key { return false }
        if let reason, death?.reason.rawValue != reason { return false }
        if let diedIn, death?.queue != diedIn, parked?.queue != diedIn { return false }
        if olderThan != nil || youngerThan != nil {
            // Of what tells no time nobody knows the age.
            guard let time = death?.time ?? parked?.lastFailure ?? message.timestamp else { return false }
            let age = now.timeIntervalSince(time)
            if let olderThan, age < olderThan.duration / .seconds(1) { return false }
            if let youngerThan, age > youngerThan.duration / .seconds(1) { return false }
        }
        return headers.allSatisfy { Self.matches($0, message.headers ?? [:]) }
    }

    private static func matches(_ condition: String, _ headers: FieldTable) -> Bool {
        // A name may hold the sign itself.
        if headers[condition] != nil { return true }
        guard let sign = condition.firstIndex(of: "="), let value = headers[String(condition[..<sign])] else {
            return false
        }
        return value.text == condition[condition.index(after: sign)...]
    }
}

extension FieldValue {
    /// As one writes it.
    var text: String {
        if let text = stringValue { return text }
        if let number = intValue { return "\(number)" }
        if let bool = boolValue { return "\(bool)" }
        if let number = doubleValue { return "\(number)" }
        return (try? Terminal.json(self)) ?? ""
    }
}
#endif
