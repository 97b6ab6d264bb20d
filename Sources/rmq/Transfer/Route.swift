#if Tool
internal import RabbitMQ

/// Where a message is published.
struct Route: Hashable, CustomStringConvertible {
    let exchange: String
    let routingKey: String

    static func queue(_ name: String) -> Route { Route(exchange: "", routingKey: name) }

    var description: String {
        exchange.isEmpty ? "the queue \(routingKey)" : "the exchange \(exchange) by \"\(routingKey)\""
    }

    /// Why a message can't be sent on, and so stays.
    struct Missing: Error, CustomStringConvertible {
        let description: String
    }
}

/// What of a message goes on with it.
struct Forwarding {
    /// Whether the broker's record of its deaths goes along.
    var keepsDeaths = true
    /// Whether the name of the user who published it goes along: RabbitMQ takes no other's than the connection's.
    var keepsUserID = false

    private static let queuesOwn: Set = ["x-delivery-count", "x-acquired-count", "x-stream-offset"]

    /// A message as it is published to a route.
    func message(_ message: Message, to route: Route) -> Message {
        var copy = message
        if !keepsUserID { copy.userID = nil }
        guard let headers = message.headers else { return copy }
        let left = headers.filter { name, _ in
            // By its CC the message would reach further queues, again.
            if Self.queuesOwn.contains(name) || (route.exchange.isEmpty && name == "CC") { return false }
            return keepsDeaths
                || !(name == "x-death" || name.hasPrefix("x-first-death-") || name.hasPrefix("x-last-death-"))
        }
        copy.headers = left.isEmpty && !headers.isEmpty ? nil : left
        return copy
    }
}
#endif
