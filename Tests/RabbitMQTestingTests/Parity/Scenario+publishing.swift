import RabbitMQ
import TestSupport

extension Scenario {
    static let publishing = [
        Scenario("Confirms, one for each message") { stage in
            try await stage.withChannel { _, channel in
                let queue = try await channel.declareQueue(exclusive: true)
                let exchange = try channel.exchange("")
                let messages = (0..<100).map { Message.plain("\($0)") }
                let receipts = try await exchange.publish(contentsOf: messages, routingKey: queue.name)
                var seen: [String] = []
                for receipt in receipts { seen.append(await stage.outcome { try await receipt.confirmed() }) }
                return seen + (try await queue.drain())
            }
        },
        Scenario("All properties and large bodies arrive as they were sent") { stage in
            try await stage.withChannel { _, channel in
                let queue = try await channel.declareQueue(exclusive: true)
                let body = (0..<300_000).map { UInt8(truncatingIfNeeded: $0) }
                let headers: FieldTable = [
                    "text": "ü", "number": 1, "list": [1, "two", true], "table": ["a": .void],
                    "bytes": .bytes([0, 255]),
                    "small": .int8(-1), "time": .timestamp(1), "double": 1.5,
                    "decimal": .decimal(scale: 2, unscaled: 314),
                ]
                let message = Message(
                    body: body,
                    headers: headers,
                    contentType: "a/b",
                    contentEncoding: "gzip",
                    deliveryMode: .persistent,
                    priority: 3,
                    correlationID: String(amqpBytes: [0xFF, 0]),
                    replyTo: "r",
                    expiration: "60000",
                    messageID: "m",
                    timestamp: nil,
                    type: "t",
                    userID: "guest",
                    appID: "a"
                )
                try await queue.publishConfirmed(message)
                return ["\(try await queue.take(1)[0].message == message)"]
            }
        },
        Scenario("Messages that are refused: another user, a CC header that is no list") { stage in
            var seen: [String] = []
            for message in [Message.plain("x", userID: "somebody"), .plain("x", headers: ["CC": "no list"])] {
                seen.append(
                    try await stage.withChannel { _, channel in
                        let queue = try await channel.declareQueue(exclusive: true)
                        return await stage.outcome { try await queue.publishConfirmed(message) }
                    }
                )
            }
            return seen
        },
        Scenario("What concerns the whole connection ends it") { stage in
            var seen: [String] = []
            seen.append(
                try await stage.withConnection { connection in
                    let channel = try await connection.openChannel()
                    return await stage.outcome { try await channel.setQos(prefetchSize: 1) }
                }
            )
            var unknown = stage.configuration
            unknown.virtualHost = "/no such host"
            seen.append(await stage.outcome { [unknown] in _ = try await Connection.connect(unknown) })
            return seen
        },
    ]
}
