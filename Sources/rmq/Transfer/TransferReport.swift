#if Tool
internal import RabbitMQ

/// What became of the messages of a queue.
struct TransferReport: Encodable {
    /// Where messages went, or would go.
    struct Destination: Encodable {
        var exchange: String
        var routingKey: String
        var messages = 0
        /// How many died of what, or were parked; empty where none did, or was.
        var reasons: [String: Int] = [:]
    }

    /// Why messages stay that match.
    struct Stay: Encodable {
        var reason: String
        var messages: Int
    }

    let kind: Transfer.Kind
    let queue: String
    let isDry: Bool
    var ready = 0
    var lookedAt = 0
    var matched = 0
    var sent = 0
    var destinations: [Destination] = []
    var stayed: [Stay] = []
    /// How many matched, and were not reached before the command was stopped.
    var unreached = 0
    /// How many were ready at the beginning, and were not seen.
    var missed = 0

    init(kind: Transfer.Kind, queue: String, isDry: Bool) {
        self.kind = kind
        self.queue = queue
        self.isDry = isDry
    }

    /// Whether everything that was there was seen, and sent if it matched.
    var isComplete: Bool { stayed.isEmpty && missed == 0 }

    /// There may be as many routing keys, and so reasons to stay, as messages: further ones count together.
    private static let most = 1000
    private static let others = "(others)"

    mutating func add(_ message: IncomingMessage, to route: Route) {
        sent += 1
        let index = place(of: route)
        destinations[index].messages += 1
        if let reason = Self.reason(of: message.message) { destinations[index].reasons[reason, default: 0] += 1 }
    }

    /// Of what died, and of what a RetryPolicy has parked: of that the broker knows no death.
    private static func reason(of message: Message) -> String? {
        message.deaths.first?.reason.rawValue ?? (message.parked == nil ? nil : "parked")
    }

    /// Where a destination stands.
    private mutating func place(of route: Route) -> Int {
        if let known = index(of: route.exchange, route.routingKey) { return known }
        let isCrowded = destinations.count >= Self.most
        if isCrowded, let known = index(of: route.exchange, Self.others) { return known }
        destinations.append(
            Destination(exchange: route.exchange, routingKey: isCrowded ? Self.others : route.routingKey)
        )
        return destinations.count - 1
    }

    private func index(of exchange: String, _ key: String) -> Int? {
        destinations.firstIndex { $0.exchange == exchange && $0.routingKey == key }
    }

    mutating func stays(because reason: String) {
        var reason = reason
        if stayed.count >= Self.most, !stayed.contains(where: { $0.reason == reason }) { reason = Self.others }
        if let index = stayed.firstIndex(where: { $0.reason == reason }) {
            stayed[index].messages += 1
        } else {
            stayed.append(Stay(reason: reason, messages: 1))
        }
    }

    mutating func take(_ count: QueueScan.Count) {
        (ready, lookedAt, matched, missed) = (count.ready, count.lookedAt, count.matched, count.missed)
    }

    /// What happened, in lines.
    var text: String {
        let verb =
            switch kind {
            case .move: isDry ? "would move" : "moved"
            case .copy: isDry ? "would copy" : "copied"
            case .replay: isDry ? "would replay" : "replayed"
            }
        var lines = ["\(queue): \(ready) ready, \(lookedAt) looked at, \(matched) matched", "\(verb) \(sent)"]
        for destination in destinations {
            let route = Route(exchange: destination.exchange, routingKey: destination.routingKey)
            let reasons = destination.reasons.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
            lines.append(
                "  \(destination.messages) to \(route)"
                    + (reasons.isEmpty ? "" : " (\(reasons.joined(separator: ", ")))")
            )
        }
        for stay in stayed { lines.append("\(stay.messages) stay: \(stay.reason)") }
        if unreached > 0 { lines.append("\(unreached) stay: stopped before") }
        if missed > 0 { lines.append("\(missed) were not seen: another consumer has taken them, or they have expired") }
        // Names come from the headers of messages, which anybody writes: none is to look like another line.
        return lines.map { Terminal.harmlessRow($0) }.joined(separator: "\n")
    }
}

/// A transfer that could not go on.
struct TransferFailure: Error {
    let report: TransferReport
    let error: any Error
}
#endif
