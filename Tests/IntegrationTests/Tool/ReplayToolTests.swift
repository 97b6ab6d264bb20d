import RabbitMQ
import TestSupport
import Testing

@Suite("rmq replay", .needsTool, .timeLimit(.minutes(3)))
struct ReplayToolTests {
    private func replay(_ queue: Queue, _ arguments: String...) async throws -> ToolProcess.Outcome {
        try await ToolProcess.run(["replay", queue.name] + arguments)
    }

    @Test(
        "sends messages back to the queue they died in, as they were published",
        arguments: [QueueType.classic, .quorum]
    )
    func back(type: QueueType) async throws {
        try await Scratch.use { scratch, _, channel in
            let letters = try await DeadLetters.make(250, in: scratch, on: channel, type: type) {
                ["number": .int64(Int64($0))]
            }
            let outcome = try await replay(letters.dead)
            #expect(outcome.status == 0, "\(outcome)")
            #expect(outcome.output.contains("replayed 250\n"), "\(outcome)")
            #expect(outcome.output.contains("250 to the queue \(letters.queue.name) (rejected 250)"), "\(outcome)")
            #expect(try await letters.dead.readyCount() == 0)
            let first = try await letters.queue.next()
            #expect(first.headers == ["number": 0])
            #expect(first.messageID == "0")
            #expect(try await letters.queue.drain() == (1..<250).map { "\($0)" })
            // What the broker has no acknowledgement of has come back meanwhile.
            #expect(try await letters.dead.readyCount() == 0)
        }
    }

    @Test("has every acknowledgement taken, one by one, when it ends", arguments: [QueueType.classic, .quorum])
    func acknowledged(type: QueueType) async throws {
        try await Scratch.use { scratch, _, channel in
            // Every other one: no acknowledgement can be merged with the next.
            let letters = try await DeadLetters.make(600, in: scratch, on: channel, type: type) {
                ["parity": $0.isMultiple(of: 2) ? "even" : "odd"]
            }
            let outcome = try await replay(letters.dead, "--header", "parity=even")
            #expect(outcome.status == 0 && outcome.output.contains("replayed 300\n"), "\(outcome)")
            #expect(try await letters.queue.drain() == stride(from: 0, to: 600, by: 2).map { "\($0)" })
            try await eventually("the odd ones") { try await letters.dead.readyCount() == 300 }
            let rest = try await letters.dead.drain()
            #expect(rest.inOrder(of: type) == stride(from: 1, to: 600, by: 2).map { "\($0)" }.inOrder(of: type))
        }
    }

    @Test("takes from a queue beside its consumer, which has all it can hold")
    func besideConsumer() async throws {
        try await Scratch.use { scratch, connection, channel in
            let letters = try await DeadLetters.make(60, in: scratch, on: channel)
            let greedy = try await connection.openChannel()
            try await greedy.setQos(prefetchCount: 10)
            let deliveries = try await greedy.queue(letters.dead.name).consume(ConsumerOptions(priority: 5))
            try await eventually("its share") { try await letters.dead.readyCount() == 50 }
            let outcome = try await replay(letters.dead)
            #expect(outcome.status == 0 && outcome.output.contains("replayed 50\n"), "\(outcome)")
            try await deliveries.consumer.cancel()
            await greedy.close()
            try await eventually("what the other one had") { try await letters.dead.readyCount() == 10 }
        }
    }

    @Test("only looks, and puts back in order what it has looked at, with --dry-run")
    func dry() async throws {
        try await Scratch.use { scratch, _, channel in
            let letters = try await DeadLetters.make(20, in: scratch, on: channel)
            let outcome = try await replay(letters.dead, "--dry-run")
            #expect(outcome.status == 0, "\(outcome)")
            #expect(outcome.output.contains("would replay 20\n"), "\(outcome)")
            #expect(try await letters.queue.readyCount() == 0)
            try await eventually("the messages") { try await letters.dead.readyCount() == 20 }
            #expect(try await letters.dead.drain() == (0..<20).map { "\($0)" })
        }
    }

    @Test("leaves in order what does not match, and stops at a limit", arguments: [QueueType.classic, .quorum])
    func filtered(type: QueueType) async throws {
        try await Scratch.use { scratch, _, channel in
            let letters = try await DeadLetters.make(40, in: scratch, on: channel, type: type) {
                ["parity": $0.isMultiple(of: 2) ? "even" : "odd"]
            }
            let outcome = try await replay(letters.dead, "--header", "parity=even", "--limit", "5", "--json")
            #expect(outcome.status == 0, "\(outcome)")
            #expect(outcome.output.contains("\"sent\":5"), "\(outcome)")
            let none = try await replay(letters.dead, "--reason", "expired")
            #expect(none.output.contains("35 looked at, 0 matched"), "\(none)")
            let young = try await replay(letters.dead, "--older-than", "1h", "--died-in", letters.queue.name)
            #expect(young.output.contains("0 matched"), "\(young)")
            #expect(try await letters.queue.drain() == ["0", "2", "4", "6", "8"])
            try await eventually("the messages") { try await letters.dead.readyCount() == 35 }
            let rest = (0..<40).filter { $0 > 8 || $0 % 2 == 1 }.map { "\($0)" }
            #expect(try await letters.dead.drain().inOrder(of: type) == rest.inOrder(of: type))
        }
    }

    @Test("sends what a RetryPolicy has parked back to the queue in which it failed, as it is")
    func parked() async throws {
        try await Scratch.use { scratch, _, channel in
            let queue = try await channel.declareQueue(scratch.queue())
            let parking = try await channel.declareQueue(scratch.queue("parked"))
            let headers: FieldTable = [
                "x-parked-attempts": 5, "x-parked-queue": .string(queue.name), "x-parked-exchange": "",
                "x-parked-routing-key": .string(queue.name),
            ]
            try await parking.publish(Message("order", headers: headers))
            try await eventually("it is parked") { try await parking.readyCount() == 1 }
            let outcome = try await replay(parking)
            #expect(outcome.status == 0, "\(outcome)")
            #expect(outcome.output.contains("1 to the queue \(queue.name) (parked 1)"), "\(outcome)")
            let back = try await queue.next()
            #expect(back.message.parked?.queue == queue.name)
            #expect(try await parking.readyCount() == 0)
            // By the key it had, not by that of the parking queue.
            try await parking.publish(Message("order", headers: headers))
            try await eventually("it is parked again") { try await parking.readyCount() == 1 }
            let published = try await replay(parking, "--back-to", "exchange")
            #expect(published.status == 0 && published.output.contains("replayed 1\n"), "\(published)")
            #expect(try await queue.next().message.parked?.attempts == 5)
        }
    }

    @Test("sends what is parked to an exchange as it was before")
    func parkedElsewhere() async throws {
        try await Scratch.use { scratch, _, channel in
            let other = try await channel.declareQueue(scratch.queue())
            let exchange = try await channel.declareExchange(scratch.exchange(), type: .fanout)
            try await other.bind(to: exchange, routingKey: "")
            let parking = try await channel.declareQueue(scratch.queue("parked"))
            let headers: FieldTable = [
                "own": 1, "x-parked-attempts": 5, "x-parked-queue": .string(scratch.queue("failed")),
                "x-parked-exchange": "", "x-parked-routing-key": "order.new",
                "x-parked-kept": ["expiration": "600000"],
            ]
            try await parking.publish(Message("order", headers: headers))
            try await eventually("it is parked") { try await parking.readyCount() == 1 }
            let outcome = try await replay(parking, "--exchange", exchange.name)
            #expect(outcome.status == 0, "\(outcome)")
            let message = try await other.next()
            // Nobody there knows that it was parked, nor puts back what was put aside then.
            #expect(message.headers == ["own": 1] && message.expiration == "600000", "\(message.message)")
            #expect(message.routingKey == "order.new")
        }
    }

    @Test("knows of what is parked in which queue it failed, and when")
    func parkedLongAgo() async throws {
        try await Scratch.use { scratch, _, channel in
            let queue = try await channel.declareQueue(scratch.queue())
            let parking = try await channel.declareQueue(scratch.queue("parked"))
            let headers: FieldTable = [
                "x-parked-attempts": 5, "x-parked-queue": .string(queue.name),
                "x-parked-last-failure": .timestamp(1_000_000_000),
            ]
            try await parking.publish(Message("order", headers: headers))
            for others in [["--younger-than", "1h"], ["--died-in", parking.name]] {
                try await eventually("it is there") { try await parking.readyCount() == 1 }
                let none = try await ToolProcess.run(["replay", parking.name] + others)
                #expect(none.output.contains("1 looked at, 0 matched"), "\(none)")
            }
            try await eventually("it is there again") { try await parking.readyCount() == 1 }
            let outcome = try await replay(parking, "--older-than", "1h", "--died-in", queue.name)
            #expect(outcome.status == 0 && outcome.output.contains("replayed 1\n"), "\(outcome)")
            #expect(try await queue.next().message.parked?.queue == queue.name)
        }
    }

    @Test("leaves what can't go back, and says why")
    func missing() async throws {
        try await Scratch.use { scratch, _, channel in
            let letters = try await DeadLetters.make(3, in: scratch, on: channel)
            try await channel.send("never died", to: letters.dead.name)
            try await letters.queue.delete()
            let outcome = try await replay(letters.dead)
            #expect(outcome.status == 1, "\(outcome)")
            #expect(outcome.output.contains("3 stay: the queue \(letters.queue.name) does not exist"), "\(outcome)")
            #expect(outcome.output.contains("1 stay: no x-death header says where it came from"), "\(outcome)")
            try await eventually("the messages") { try await letters.dead.readyCount() == 4 }
        }
    }

    @Test("sends messages to the exchange they were published to, or to a given one")
    func exchange() async throws {
        try await Scratch.use { scratch, _, channel in
            let exchange = try await channel.declareExchange(scratch.exchange(), type: .topic)
            let dead = try await channel.declareQueue(scratch.queue("dead"))
            let queue = try await channel.declareQueue(
                scratch.queue(),
                arguments: QueueArguments(maxLength: 0, deadLetterExchange: "", deadLetterRoutingKey: dead.name)
            )
            try await queue.bind(to: exchange, routingKey: "order.#")
            for number in 0..<4 { try await exchange.publish(Message("\(number)"), routingKey: "order.new") }
            try await eventually("dead letters") { try await dead.readyCount() == 4 }
            let other = try await channel.declareQueue(scratch.queue("other"))
            try await other.bind(to: exchange, routingKey: "order.new")
            let back = try await replay(dead, "--back-to", "exchange", "--limit", "1", "--keep-deaths")
            #expect(back.status == 0, "\(back)")
            #expect(back.output.contains("1 to the exchange \(exchange.name) by \"order.new\" (maxlen 1)"), "\(back)")
            #expect(try await other.next().message.deaths.first?.queue == queue.name)
            let given = try await replay(dead, "--exchange", "", "--routing-key", other.name, "--limit", "2")
            #expect(given.status == 0, "\(given)")
            try await eventually("two messages") { try await other.readyCount() == 2 }
        }
    }

    @Test("loses nothing, killed at any moment", arguments: [QueueType.classic, .quorum])
    func killed(type: QueueType) async throws {
        let count = 1200
        try await Scratch.use { scratch, _, channel in
            let letters = try await DeadLetters.make(count, in: scratch, on: channel, type: type)
            var kills = 0
            while kills < 20 {
                let tool = try ToolProcess(["replay", letters.dead.name, "--rate", "800"])
                try await Task.sleep(for: .milliseconds(.random(in: 40...220)))
                tool.kill()
                let outcome = await tool.outcome()
                kills += outcome.hasExited ? 0 : 1
                // What was in hand is back once the broker has noticed.
                try await eventually("\(count) messages in all") {
                    try await letters.dead.readyCount() + letters.queue.readyCount() >= count
                }
                if outcome.hasExited { break }
            }
            // What the last one had in hand may come back only now.
            var arrived: Set<String> = []
            try await eventually("all of them, and nothing left", within: .seconds(60)) {
                let rest = try await replay(letters.dead)
                #expect(rest.status == 0, "\(rest)")
                arrived.formUnion(try await letters.queue.drain())
                let left = try await letters.dead.readyCount()
                return arrived.count == count && left == 0
            }
            #expect(arrived == Set((0..<count).map { "\($0)" }))
            #expect(kills >= 10)
        }
    }

    @Test("finishes what it has in hand when it is interrupted")
    func interrupted() async throws {
        try await Scratch.use { scratch, _, channel in
            let letters = try await DeadLetters.make(100, in: scratch, on: channel)
            let tool = try ToolProcess(["replay", letters.dead.name, "--rate", "20", "--json"])
            try await eventually("the first messages") { try await letters.queue.readyCount() > 3 }
            tool.interrupt()
            let outcome = try await within(.seconds(20), "the tool's end") { await tool.outcome() }
            #expect(outcome.hasExited && outcome.status == 130, "\(outcome)")
            let back = try await letters.queue.readyCount()
            #expect(outcome.output.contains("\"sent\":\(back)"), "\(outcome)")
            // Each is in one place.
            try await eventually("the others") { try await letters.dead.readyCount() == 100 - back }
        }
    }
}
