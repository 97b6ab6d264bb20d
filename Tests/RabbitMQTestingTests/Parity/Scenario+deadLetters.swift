import RabbitMQ
import TestSupport

extension Scenario {
    private static func describe(_ message: IncomingMessage, _ stage: Stage, _ names: [String: String]) -> String {
        let deaths = message.deaths.map { death in
            let expiration = death.originalExpiration.map { " \($0)" } ?? ""
            return "\(death.count) \(death.reason) \(names[death.queue] ?? death.queue) \(death.exchange) "
                + "\(death.routingKeys.map { names[$0] ?? $0 })\(expiration)"
        }
        let first = message.firstDeath.map { "\($0.reason) \(names[$0.queue] ?? $0.queue)" } ?? ""
        return stage.shown("\(message.summary) \(message.expiration ?? "-") \(deaths) \(first)")
    }

    static let deadLetters = [
        Scenario(
            "Dead-lettering: rejected, expired, dropped; x-death",
            changes: [.init(.v4_3, "what basic.reject rejects comes as redelivered; not so with basic.nack")]
        ) { stage in
            try await stage.withChannel { _, channel in
                let dead = try await channel.declareQueue(exclusive: true)
                let queue = try await channel.declareQueue(
                    exclusive: true,
                    arguments: QueueArguments(maxLength: 1, deadLetterExchange: "", deadLetterRoutingKey: dead.name)
                )
                let names = [queue.name: "queue", dead.name: "dead"]
                var seen: [String] = []
                try await queue.fill("rejected")
                try await queue.get()?.reject(requeue: false)
                seen.append(describe(try await dead.take(1)[0], stage, names))
                try await queue.fill("not accepted")
                try await queue.get()?.nack(requeue: false)
                seen.append(describe(try await dead.take(1)[0], stage, names))
                try await queue.publishConfirmed(.plain("expired", expiration: "1"))
                seen.append(describe(try await dead.take(1)[0], stage, names))
                try await queue.fill("dropped", "kept")
                seen.append(describe(try await dead.take(1)[0], stage, names))
                return seen + (try await queue.drain())
            }
        },
        Scenario("Dead-lettering through an exchange, with the message's own key") { stage in
            try await stage.withChannel { _, channel in
                let exchange = try await channel.declareExchange(stage.name("dlx"), type: .topic, autoDelete: true)
                let dead = try await channel.declareQueue(exclusive: true)
                try await dead.bind(to: exchange, routingKey: "orders.*")
                let source = try await channel.declareExchange(stage.name("e"), type: .topic, autoDelete: true)
                let queue = try await channel.declareQueue(
                    exclusive: true,
                    arguments: QueueArguments(deadLetterExchange: exchange.name)
                )
                try await queue.bind(to: source, routingKey: "#")
                try await source.publishConfirmed(.plain("x"), routingKey: "orders.eu")
                try await queue.get()?.nack(requeue: false)
                let message = try await dead.take(1)[0]
                let names = [queue.name: "queue"]
                return [describe(message, stage, names), message.routingKey, stage.shown(message.exchangeName)]
            }
        },
        Scenario("A retry queue: there and back, counted in x-death") { stage in
            try await stage.withChannel { _, channel in
                let (work, retry) = (stage.name("work"), stage.name("retry"))
                let queue = try await channel.declareQueue(
                    work,
                    exclusive: true,
                    arguments: QueueArguments(deadLetterExchange: "", deadLetterRoutingKey: retry)
                )
                _ = try await channel.declareQueue(
                    retry,
                    exclusive: true,
                    arguments: QueueArguments(
                        messageTTL: .milliseconds(10),
                        deadLetterExchange: "",
                        deadLetterRoutingKey: work
                    )
                )
                try await queue.fill("x")
                var seen: [String] = []
                var deliveries = try await queue.consume().makeAsyncIterator()
                for _ in 0..<3 {
                    let message = try await deliveries.take(1)[0]
                    seen.append(describe(message, stage, [:]))
                    try message.reject(requeue: false)
                }
                return seen
            }
        },
        Scenario("What would die in a circle by itself ends") { stage in
            try await stage.withChannel { _, channel in
                let name = stage.name("circle")
                let queue = try await channel.declareQueue(
                    name,
                    exclusive: true,
                    arguments: QueueArguments(
                        messageTTL: .milliseconds(5),
                        deadLetterExchange: "",
                        deadLetterRoutingKey: name
                    )
                )
                try await queue.fill("x")
                try await eventually("it is gone") {
                    try await channel.declareQueue(name, exclusive: true, passive: true).messageCount == 0
                }
                return ["gone"]
            }
        },
        Scenario(
            "An x-death that a client publishes",
            changes: [.init(.v4_0, "it is replaced, before that counted on")]
        ) { stage in
            try await stage.withChannel { _, channel in
                let dead = try await channel.declareQueue(exclusive: true)
                let queue = try await channel.declareQueue(
                    exclusive: true,
                    arguments: QueueArguments(deadLetterExchange: "", deadLetterRoutingKey: dead.name)
                )
                let death: FieldTable = [
                    "count": .int64(7), "reason": "rejected", "queue": .string(queue.name), "exchange": "",
                    "routing-keys": .array([.string(queue.name)]), "time": .timestamp(1),
                ]
                let headers: FieldTable = ["x-death": .array([.table(death)])]
                try await queue.publishConfirmed(.plain("x", headers: headers))
                try await queue.get()?.reject(requeue: false)
                return try await dead.take(1)[0].deaths.map { "\($0.count) \($0.reason)" }
            }
        },
        Scenario("Quorum queues: x-delivery-count and the delivery limit") { stage in
            try await stage.withChannel { _, channel in
                let dead = try await channel.declareQueue(exclusive: true)
                let queue = try await channel.declareQueue(
                    stage.name("quorum"),
                    arguments: QueueArguments(
                        type: .quorum,
                        deadLetterExchange: "",
                        deadLetterRoutingKey: dead.name,
                        deliveryLimit: 2
                    )
                )
                try await queue.fill("x")
                var seen: [String] = []
                var deliveries = try await queue.consume().makeAsyncIterator()
                for _ in 0..<3 {
                    let message = try await deliveries.take(1)[0]
                    seen.append("\(message.summary) \(message.deliveryCount ?? 0)")
                    try message.reject(requeue: true)
                }
                seen += try await dead.take(1).map { "\($0.deaths.map(\.reason))" }
                try await queue.delete(ifUnused: false, ifEmpty: false)
                return seen
            }
        },
    ]
}
