internal import RabbitMQ

extension Broker {
    /// Publishes a message that has died to its queue's dead-letter exchange; drops it where there is none.
    mutating func deadLetter(_ message: StoredMessage, from name: String, _ reason: Death.Reason) {
        guard let settings = queues[name]?.settings, let exchange = settings.deadLetterExchange,
            exchanges[exchange] != nil
        else { return }
        var dead = message
        dead.updateHeaders { headers in
            noteDeath(of: message, in: name, reason, &headers)
            // With a key of its own it goes nowhere else any more.
            if settings.deadLetterRoutingKey != nil { headers["CC"] = nil }
        }
        dead.message.expiration = nil
        dead.exchange = exchange
        dead.routingKey = settings.deadLetterRoutingKey ?? message.routingKey
        dead.redelivered = false
        // What would die in a circle without anybody's rejecting it ends.
        let deaths = dead.message.headers?["x-death"]?.arrayValue ?? []
        for queue in route(dead) where !Self.isCircle(queue, deaths) { _ = enqueue(dead, in: queue) }
    }

    private func noteDeath(
        of message: StoredMessage,
        in queue: String,
        _ reason: Death.Reason,
        _ headers: inout FieldTable
    ) {
        var deaths = headers["x-death"]?.arrayValue ?? []
        let index = deaths.firstIndex {
            $0.tableValue?["queue"]?.stringValue == queue && $0.tableValue?["reason"]?.stringValue == reason.rawValue
        }
        var entry: FieldTable
        if let index, let known = deaths.remove(at: index).tableValue {
            entry = known
            entry["count"] = .int64(Int64(known["count"]?.intValue ?? 1) + 1)
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
        headers["x-death"] = .array(deaths)
        for (part, value) in [("queue", queue), ("reason", reason.rawValue), ("exchange", message.exchange)] {
            if headers["x-first-death-\(part)"] == nil { headers["x-first-death-\(part)"] = .string(value) }
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
