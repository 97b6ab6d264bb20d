import RabbitMQ
import TestSupport

extension Scenario {
    static let queues = [
        Scenario("Queues that the broker names, passive declarations, counts") { stage in
            try await stage.withChannel { connection, channel in
                let queue = try await channel.declareQueue(exclusive: true)
                try await queue.fill("a", "b")
                let same = try await channel.declareQueue(queue.name, exclusive: true, passive: true)
                let consumer = try await connection.openChannel()
                let deliveries = try await consumer.queue(queue.name).consume(ConsumerOptions(noAck: true))
                let empty = try await channel.declareQueue(queue.name, exclusive: true, passive: true)
                withExtendedLifetime(deliveries) {}
                let missing = await stage.outcome {
                    _ = try await channel.declareQueue(stage.name("none"), passive: true)
                }
                return [
                    "\(queue.name.hasPrefix("amq.gen-"))", "\(same.messageCount) \(same.consumerCount)",
                    "\(empty.messageCount) \(empty.consumerCount)", missing,
                ]
            }
        },
        Scenario("Exclusive queues: locked for others, gone with their connection") { stage in
            try await stage.withConnection { watching in
                let name = stage.name("mine")
                var seen: [String] = []
                try await stage.withChannel { _, channel in
                    _ = try await channel.declareQueue(name, exclusive: true)
                    for attempt in 0..<4 {
                        let other = try await watching.openChannel()
                        seen.append(
                            await stage.outcome {
                                switch attempt {
                                case 0: _ = try await other.declareQueue(name, exclusive: true)
                                case 1: _ = try await other.declareQueue(name, passive: true)
                                case 2: _ = try await other.queue(name).get()
                                default: _ = try await other.queue(name).consume()
                                }
                            }
                        )
                    }
                }
                try await eventually("the queue is gone") {
                    await stage.outcome {
                        try await watching.openChannel().declareQueue(name, passive: true).messageCount
                    } == "404 queue.declare"
                }
                return seen
            }
        },
        Scenario("Queues declared again otherwise, or with arguments that can't be") { stage in
            try await stage.withChannel { connection, channel in
                let name = stage.name("q")
                let arguments = QueueArguments(maxLength: 3)
                _ = try await channel.declareQueue(name, arguments: arguments)
                _ = try await channel.declareQueue(name, arguments: ["x-max-length": .int8(3)])
                var seen: [String] = []
                for attempt in 0..<5 {
                    let other = try await connection.openChannel()
                    seen.append(
                        await stage.outcome {
                            switch attempt {
                            case 0: _ = try await other.declareQueue(name)
                            case 1: _ = try await other.declareQueue(name, durable: false, arguments: arguments)
                            case 2: _ = try await other.declareQueue(name, autoDelete: true, arguments: arguments)
                            case 3: _ = try await other.declareQueue(name, arguments: QueueArguments(maxLength: 4))
                            default: _ = try await other.declareQueue(name, exclusive: true, arguments: arguments)
                            }
                        }
                    )
                }
                try await channel.queue(name).delete()
                return seen
            }
        },
        Scenario("Purge and delete, with their conditions") { stage in
            try await stage.withChannel { connection, channel in
                let queue = try await channel.declareQueue(stage.name("q"))
                try await queue.fill("a", "b", "c")
                var seen = ["\(try await queue.purge())"]
                try await queue.fill("d")
                let other = try await connection.openChannel()
                seen.append(
                    await stage.outcome { try await other.queue(queue.name).delete(ifUnused: false, ifEmpty: true) }
                )
                let third = try await connection.openChannel()
                let deliveries = try await third.queue(queue.name).consume()
                let fourth = try await connection.openChannel()
                seen.append(
                    await stage.outcome { try await fourth.queue(queue.name).delete(ifUnused: true, ifEmpty: false) }
                )
                withExtendedLifetime(deliveries) {}
                await third.close()
                seen.append("\(try await queue.delete(ifUnused: false, ifEmpty: false))")
                seen.append("\(try await channel.queue(queue.name).delete(ifUnused: false, ifEmpty: false))")
                return seen
            }
        },
        Scenario("Length limits: the oldest go, or what is new is refused") { stage in
            try await stage.withChannel { _, channel in
                var seen: [String] = []
                for arguments in [
                    QueueArguments(maxLength: 2), QueueArguments(maxLengthBytes: 4),
                    QueueArguments(maxLength: 2, overflow: .rejectPublish), QueueArguments(maxLength: 0),
                ] {
                    let queue = try await channel.declareQueue(exclusive: true, arguments: arguments)
                    for text in ["aa", "bb", "cc"] {
                        seen.append(await stage.outcome { try await queue.publishConfirmed(.plain(text)) })
                    }
                    seen += try await queue.drain()
                }
                return seen
            }
        },
        Scenario("Priorities") { stage in
            try await stage.withChannel { _, channel in
                let queue = try await channel.declareQueue(exclusive: true, arguments: QueueArguments(maxPriority: 5))
                for (text, priority) in [("a", 1), ("b", nil), ("c", 9), ("d", 5), ("e", 1)] as [(String, UInt8?)] {
                    try await queue.publishConfirmed(.plain(text, priority: priority))
                }
                return try await queue.drain()
            }
        },
    ]

    static let lifetimes = [
        Scenario("Queues that delete themselves with their last consumer") { stage in
            try await stage.withChannel { connection, channel in
                let name = stage.name("auto")
                _ = try await channel.declareQueue(name, autoDelete: true)
                var seen: [String] = []
                for _ in 0..<2 {
                    let other = try await connection.openChannel()
                    let deliveries = try await other.queue(name).consume()
                    try await deliveries.consumer.cancel()
                    seen.append(
                        await stage.outcome {
                            _ = try await connection.openChannel().declareQueue(name, autoDelete: true, passive: true)
                        }
                    )
                    _ = try await channel.declareQueue(name, autoDelete: true)
                }
                try await channel.queue(name).delete()
                return seen
            }
        },
        Scenario("Times to live: the queue's, the message's, at the head only") { stage in
            try await stage.withChannel { _, channel in
                let dead = try await channel.declareQueue(exclusive: true)
                let queue = try await channel.declareQueue(
                    exclusive: true,
                    arguments: QueueArguments(
                        messageTTL: .seconds(600),
                        deadLetterExchange: "",
                        deadLetterRoutingKey: dead.name
                    )
                )
                try await queue.publishConfirmed(.plain("long"))
                try await queue.publishConfirmed(.plain("behind", expiration: "20"))
                let first = try await queue.get(noAck: true)?.summary ?? "none"
                // Now it is at the head.
                let expired = try await dead.take(1).map(\.summary)
                return [first] + expired + (try await queue.drain())
            }
        },
        Scenario("A time to live of zero: to a consumer that waits, or nowhere") { stage in
            try await stage.withChannel { connection, channel in
                let queue = try await channel.declareQueue(
                    exclusive: true,
                    arguments: QueueArguments(messageTTL: .zero)
                )
                try await queue.fill("lost")
                let left = try await queue.drain()
                var deliveries = try await queue.consume(ConsumerOptions(noAck: true)).makeAsyncIterator()
                try await queue.fill("seen")
                return ["\(left)"] + (try await deliveries.take(1).map(\.summary))
            }
        },
        Scenario("Queues that expire when nobody uses them") { stage in
            try await stage.withChannel { _, channel in
                let name = stage.name("expiring")
                _ = try await channel.declareQueue(name, arguments: QueueArguments(expires: .milliseconds(30)))
                // To publish is no use of it, as to look for it would be.
                let exchange = channel.defaultExchange
                try await eventually("the queue is gone") {
                    await stage.outcome {
                        try await exchange.publishConfirmed(.plain("x"), routingKey: name, mandatory: true)
                    } != "()"
                }
                return [await stage.outcome { _ = try await channel.declareQueue(name, passive: true) }]
            }
        },
    ]
}
