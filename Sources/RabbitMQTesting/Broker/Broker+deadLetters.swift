internal import RabbitMQ

extension Broker {
    /// Publishes a message that has died to its queue's dead-letter exchange; drops it where there is none.
    mutating func deadLetter(
        _ message: StoredMessage,
        from name: String,
        _ reason: Death.Reason,
        isRedelivered: Bool = false
    ) {
        guard let settings = queues[name]?.settings, let exchange = settings.deadLetterExchange,
            exchanges[exchange] != nil
        else { return }
        var dead = message
        dead.deaths = deaths(of: message, with: name, reason)
        dead.updateHeaders { [deaths = dead.deaths] headers in
            headers["x-death"] = .array(deaths)
            noteDeath(of: message, in: name, reason, &headers)
            // With a key of its own it goes nowhere else any more.
            if settings.deadLetterRoutingKey != nil { headers["CC"] = nil }
        }
        if settings.deadLetterRoutingKey != nil { dead.blindKeys = [] }
        dead.message.expiration = nil
        dead.exchange = exchange
        dead.routingKey = settings.deadLetterRoutingKey ?? message.routingKey
        dead.redelivered = isRedelivered
        dead.deliveryCount = isRedelivered ? 1 : 0
        // What would die in a circle without anybody's rejecting it ends.
        for queue in route(dead) where !Self.isCircle(queue, dead.deaths) { _ = enqueue(dead, in: queue) }
    }

    /// A message's deaths with one more, which is the first of them.
    private func deaths(of message: StoredMessage, with queue: String, _ reason: Death.Reason) -> [FieldValue] {
        var deaths = message.deaths
        let index = deaths.firstIndex {
            $0.tableValue?["queue"]?.stringValue == queue && $0.tableValue?["reason"]?.stringValue == reason.rawValue
        }
        var entry: FieldTable
        if let index, let known = deaths.remove(at: index).tableValue {
            entry = known
            // Before 4.0 a client may have written any number there.
            let count = known["count"]?.intValue ?? 1
            entry["count"] = .int64(Int64(count < .max ? count + 1 : count))
        } else {
            let keys = [message.routingKey] + message.keys(of: "CC")
            entry = [
                "count": 1, "queue": .string(queue), "reason": .string(reason.rawValue),
                "exchange": .string(message.exchange), "routing-keys": .array(keys.map(FieldValue.string)),
                "time": .timestamp(startSeconds + UInt64(clamping: now.components.seconds)),
            ]
            if let expiration = message.message.expiration { entry["original-expiration"] = .string(expiration) }
        }
        deaths.insert(.table(entry), at: 0)
        return deaths
    }

    private func noteDeath(
        of message: StoredMessage,
        in queue: String,
        _ reason: Death.Reason,
        _ headers: inout FieldTable
    ) {
        for (part, value) in [("queue", queue), ("reason", reason.rawValue), ("exchange", message.exchange)] {
            if message.deaths.isEmpty || headers["x-first-death-\(part)"] == nil {
                headers["x-first-death-\(part)"] = .string(value)
            }
            headers["x-last-death-\(part)"] = .string(value)
        }
    }

    /// Whether a message that dies comes back to a queue where it died before, and was not rejected on the way.
    private static func isCircle(_ queue: String, _ deaths: [FieldValue]) -> Bool {
        guard let index = deaths.firstIndex(where: { $0.tableValue?["queue"]?.stringValue == queue }) else {
            return false
        }
        return deaths[...index].allSatisfy { $0.tableValue?["reason"]?.stringValue != "rejected" }
    }
}
