import RabbitMQ
import TestSupport

extension Scenario {
    static let consuming = [
        Scenario("A prefetch limit for each consumer") { stage in
            try await stage.withChannel { connection, channel in
                let queue = try await channel.declareQueue(stage.name("q"), exclusive: true)
                try await queue.fill("a", "b", "c", "d")
                let consuming = try await connection.openChannel()
                try await consuming.setQos(prefetchCount: 2)
                var deliveries = try await consuming.queue(queue.name).consume().makeAsyncIterator()
                let first = try await deliveries.take(2)
                var seen = first.map(\.summary)
                seen.append(
                    "\(try await channel.declareQueue(queue.name, exclusive: true, passive: true).messageCount)"
                )
                try first[1].ack()
                seen += try await deliveries.take(1).map(\.summary)
                seen.append(
                    "\(try await channel.declareQueue(queue.name, exclusive: true, passive: true).messageCount)"
                )
                return seen
            }
        },
        Scenario(
            "A prefetch limit for a whole channel",
            changes: [.init(.v4_3, "it is taken for one of each consumer")]
        ) { stage in
            try await stage.withChannel { connection, channel in
                let one = try await channel.declareQueue(stage.name("1"), exclusive: true)
                let other = try await channel.declareQueue(stage.name("2"), exclusive: true)
                try await one.fill("a", "b")
                try await other.fill("c", "d")
                let consuming = try await connection.openChannel()
                try await consuming.setQos(prefetchCount: 3, global: true)
                var first = try await consuming.queue(one.name).consume().makeAsyncIterator()
                var second = try await consuming.queue(other.name).consume().makeAsyncIterator()
                let taken = try await first.take(2)
                var seen = taken.map(\.summary) + (try await second.take(1).map(\.summary))
                seen.append(
                    "\(try await channel.declareQueue(other.name, exclusive: true, passive: true).messageCount)"
                )
                try taken[0].ack()
                seen += try await second.take(1).map(\.summary)
                return seen
            }
        },
        Scenario("Several consumers take turns; those of a higher priority come first") { stage in
            try await stage.withChannel { connection, channel in
                let queue = try await channel.declareQueue(stage.name("q"), exclusive: true)
                var consumers: [Deliveries] = []
                for (tag, priority) in [("a", nil), ("b", nil), ("c", 5)] as [(String, Int32?)] {
                    let own = try await connection.openChannel()
                    try await own.setQos(prefetchCount: 2)
                    let options = ConsumerOptions(tag: tag, priority: priority)
                    consumers.append(try await own.queue(queue.name).consume(options))
                }
                try await queue.fill("1", "2", "3", "4", "5", "6")
                var seen: [String] = []
                for deliveries in consumers {
                    var iterator = deliveries.makeAsyncIterator()
                    seen += try await iterator.take(2).map { "\($0.consumerTag ?? "") \($0.summary)" }
                }
                return seen.sorted()
            }
        },
        Scenario("A stream's offset for a queue, which is none") { stage in
            var seen: [String] = []
            for type in [QueueType.classic, .quorum] {
                try await stage.withChannel { _, channel in
                    let queue = try await channel.declareQueue(stage.name("q"), arguments: QueueArguments(type: type))
                    try await queue.fill("x")
                    seen.append(await stage.outcome { try await queue.consume(ConsumerOptions(streamOffset: .first)) })
                }
                try await stage.withChannel { _, channel in
                    let queue = try channel.queue(stage.name("q"))
                    seen += try await queue.drain()
                    try await queue.delete(ifUnused: false, ifEmpty: false)
                }
            }
            return seen
        },
        Scenario("Exclusive consumers; a single active consumer") { stage in
            try await stage.withChannel { connection, channel in
                let queue = try await channel.declareQueue(stage.name("q"), exclusive: true)
                let first = try await connection.openChannel()
                let deliveries = try await first.queue(queue.name).consume(ConsumerOptions(exclusive: true))
                let second = try await connection.openChannel()
                var seen = [await stage.outcome { _ = try await second.queue(queue.name).consume() }]
                withExtendedLifetime(deliveries) {}
                let single = try await channel.declareQueue(
                    exclusive: true,
                    arguments: QueueArguments(singleActiveConsumer: true)
                )
                let (one, other) = (try await connection.openChannel(), try await connection.openChannel())
                var active = try await one.queue(single.name).consume().makeAsyncIterator()
                var waiting = try await other.queue(single.name).consume().makeAsyncIterator()
                try await single.fill("a", "b")
                let taken = try await active.take(2)
                seen += taken.map(\.summary)
                try taken[0].ack()
                await one.close()
                seen += try await waiting.take(1).map(\.summary)
                return seen
            }
        },
        Scenario("The broker cancels the consumers of a queue that is deleted") { stage in
            try await stage.withChannel { connection, channel in
                let queue = try await channel.declareQueue(stage.name("q"))
                var deliveries = try await connection.openChannel().queue(queue.name).consume().makeAsyncIterator()
                try await queue.delete(ifUnused: false, ifEmpty: false)
                return [await stage.outcome { try await deliveries.next()?.summary ?? "ended" }]
            }
        },
        Scenario("Get, and what is left behind it") { stage in
            try await stage.withChannel { _, channel in
                let queue = try await channel.declareQueue(exclusive: true)
                try await queue.fill("a", "b", "c")
                let first = try await queue.get()
                let second = try await queue.get(noAck: true)
                try first?.reject(requeue: true)
                var seen = [first, second].map { "\($0?.summary ?? "none") \($0?.messagesLeft ?? -1)" }
                seen += try await queue.drain()
                seen.append(try await queue.get()?.summary ?? "none")
                return seen
            }
        },
        Scenario("Cancel: the consumer's unsettled messages stay with it") { stage in
            try await stage.withChannel { connection, channel in
                let queue = try await channel.declareQueue(stage.name("q"), exclusive: true)
                try await queue.fill("a")
                let consuming = try await connection.openChannel()
                let deliveries = try await consuming.queue(queue.name).consume()
                var iterator = deliveries.makeAsyncIterator()
                let message = try await iterator.take(1)[0]
                try await deliveries.consumer.cancel()
                try await queue.fill("b")
                var seen = try await queue.drain()
                try message.reject(requeue: true)
                seen += try await queue.take(1).map(\.summary)
                return seen
            }
        },
        Scenario("Direct reply-to") { stage in
            try await stage.withConnection { connection in
                let queue = try await connection.openChannel().declareQueue(stage.name("rpc"), exclusive: true)
                let server = try await queue.serve { (number: Int) in number * 2 }
                var seen: [String] = []
                try await connection.withRPCClient(routingKey: queue.name) { client in
                    for number in 1...3 { seen.append("\(try await client.call(number, as: Int.self))") }
                }
                let alone = try await connection.openChannel()
                try await alone.selectConfirms()
                let request = Message(body: [], replyTo: "amq.rabbitmq.reply-to")
                seen.append(
                    await stage.outcome { try await alone.queue(queue.name).publishConfirmed(request) }
                )
                withExtendedLifetime(server) {}
                return seen
            }
        },
    ]

    static let settling = [
        Scenario("Ack, nack and reject, several at once; what comes back has its place") { stage in
            try await stage.withChannel { connection, channel in
                let queue = try await channel.declareQueue(stage.name("q"), exclusive: true)
                try await queue.fill("a", "b", "c", "d", "e", "f")
                let consuming = try await connection.openChannel()
                var iterator = try await consuming.queue(queue.name).consume().makeAsyncIterator()
                let taken = try await iterator.take(6)
                try taken[1].ack(multiple: true)
                try taken[3].nack(requeue: true, multiple: true)
                var seen = try await iterator.take(2).map(\.summary)
                try taken[4].reject(requeue: false)
                await consuming.close()
                seen += try await queue.take(3).map(\.summary)
                return seen
            }
        },
        Scenario("A channel or connection that ends gives back what is unsettled") { stage in
            try await stage.withChannel { connection, channel in
                let queue = try await channel.declareQueue(stage.name("q"), autoDelete: false)
                try await queue.fill("a", "b", "c")
                var seen: [String] = []
                try await stage.withConnection { other in
                    let own = try await other.openChannel()
                    seen.append(try await own.queue(queue.name).get()?.summary ?? "none")
                    await own.close()
                    let again = try await other.openChannel()
                    for _ in 0..<2 { seen.append(try await again.queue(queue.name).get()?.summary ?? "none") }
                    await other.close()
                }
                seen += try await queue.take(3).map(\.summary)
                try await queue.delete()
                return seen
            }
        },
        Scenario("Recover: all that is unsettled is delivered again") { stage in
            try await stage.withChannel { connection, channel in
                let queue = try await channel.declareQueue(exclusive: true)
                try await queue.fill("a", "b")
                var iterator = try await queue.consume().makeAsyncIterator()
                let taken = try await iterator.take(2)
                try taken[0].ack()
                try await channel.recover()
                return taken.map(\.summary) + (try await iterator.take(1).map(\.summary))
            }
        },
    ]
}
