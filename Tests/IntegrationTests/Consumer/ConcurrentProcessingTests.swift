import RabbitMQ
import Synchronization
import TestSupport
import Testing

@Suite("processing several messages at a time")
struct ConcurrentProcessingTests {
    private struct Failed: Error {}

    @Test("a callback that throws gives its message a second try, then dead-letters it, and the next come")
    func callback() async throws {
        try await Scratch.use { scratch, _, channel in
            let dead = try await channel.declareQueue(scratch.queue("dead"))
            let queue = try await channel.declareQueue(
                scratch.queue("work"),
                arguments: ["x-dead-letter-exchange": "", "x-dead-letter-routing-key": .string(dead.name)]
            )
            try await channel.setQos(prefetchCount: 5)
            let calls = Collected<String>()
            let consumer = try await queue.consume { message in
                let text = try message.text()
                calls.add(text)
                if text.hasPrefix("bad") { throw Failed() }
                try message.ack()
            }
            for text in (0..<8).map({ "bad \($0)" }) + ["good"] { try await queue.publish(Message(text)) }
            try await eventually("all have been tried") { calls.all.count == 17 }
            #expect(calls.all.filter { $0 == "good" }.count == 1)
            try await consumer.cancel()
            #expect(try await consumer.ended == nil)
            try await eventually("all are dead-lettered") {
                try await channel.declareQueue(dead.name, passive: true).messageCount == 8
            }
        }
    }

    @Test("runs as many as it is told to, settles each, and ends with the consumer", arguments: [1, 4])
    func sequence(limit: Int) async throws {
        try await Scratch.use { scratch, _, channel in
            let queue = try await channel.declareQueue(scratch.queue())
            for number in 0..<40 { try await queue.publish(Message("\(number)")) }
            try await channel.setQos(prefetchCount: 20)
            let deliveries = try await queue.consume()
            let state = Mutex((running: 0, most: 0, done: 0))
            try await deliveries.process(maxConcurrency: limit) { message in
                state.withLock { state in
                    state.running += 1
                    state.most = max(state.most, state.running)
                }
                try await Task.sleep(for: .milliseconds(2))
                let done = state.withLock { state in
                    state.running -= 1
                    state.done += 1
                    return state.done
                }
                if try message.text() == "7", !message.redelivered { throw Failed() }
                if done == 41 { Task { try await deliveries.consumer.cancel() } }
            }
            #expect(state.withLock { $0.most } == limit)
            #expect(state.withLock { $0.done } == 41)
            #expect(try await deliveries.consumer.ended == nil)
            #expect(try await queue.delete(ifUnused: false, ifEmpty: false) == 0)
        }
    }

    @Test("a cancelled task ends with a CancellationError, and what it held goes back")
    func cancelled() async throws {
        try await Scratch.use { scratch, _, channel in
            let queue = try await channel.declareQueue(scratch.queue())
            for number in 0..<4 { try await queue.publish(Message("\(number)")) }
            let begun = Collected<Int>()
            let processing = Task {
                try await queue.consume().process(maxConcurrency: 4) { _ in
                    begun.add(1)
                    try await Task.sleep(for: .seconds(60))
                }
            }
            try await eventually("all have begun") { begun.all.count == 4 }
            processing.cancel()
            await #expect(throws: CancellationError.self) { try await processing.value }
            try await eventually("all are back") {
                try await channel.declareQueue(queue.name, passive: true).messageCount == 4
            }
        }
    }

    @Test("the values of messages; one that doesn't decode is dead-lettered where its queue says where to")
    func values() async throws {
        try await Scratch.use { scratch, _, channel in
            let dead = try await channel.declareQueue(scratch.queue("dead"))
            let queue = try await channel.declareQueue(
                scratch.queue("work"),
                arguments: ["x-dead-letter-exchange": "", "x-dead-letter-routing-key": .string(dead.name)]
            )
            try await queue.publish(Message(encoding: [1]))
            try await queue.publish(Message("no JSON"))
            try await queue.publish(Message(encoding: [2]))
            let values = Collected<[Int]>()
            let messages = try await queue.messages(of: [Int].self)
            try await messages.process(maxConcurrency: 2) { value in
                values.add(value)
                if values.all.count == 2 { Task { try await messages.deliveries.consumer.cancel() } }
            }
            #expect(Set(values.all) == [[1], [2]])
            #expect(try await dead.next().text() == "no JSON")
            // Elsewhere nothing is dropped: the loop ends.
            let plain = try await channel.declareQueue(scratch.queue("plain"))
            try await plain.publish(Message("no JSON"))
            await expectError(.decodingFailed) {
                try await plain.messages(of: [Int].self).process(maxConcurrency: 2) { _ in }
            }
        }
    }

    @Test("a consumer's end says why")
    func ends() async throws {
        try await Scratch.use { scratch, connection, channel in
            let queue = try await channel.declareQueue(scratch.queue())
            let consumer = try await queue.consume { try $0.ack() }
            let iterated = try await queue.consume()
            try await connection.withChannel { try await $0.queue(queue.name).delete(ifUnused: false, ifEmpty: false) }
            let end = try await consumer.ended
            #expect(end?.code == .consumerCancelled, "\(String(describing: end))")
            #expect(try await iterated.consumer.ended?.code == .consumerCancelled)
        }
    }

    @Test("asking for one says how many are left, and a handle publishes to its queue")
    func left() async throws {
        try await TestBroker.withChannel { _, channel in
            try await channel.selectConfirms()
            let queue = try await channel.declareQueue(exclusive: true)
            for number in 0..<3 { try await queue.publishConfirmed(Message("\(number)")) }
            #expect(try await queue.get(noAck: true)?.messagesLeft == 2)
            #expect(try await queue.get(noAck: true)?.messagesLeft == 1)
            for try await message in try await queue.consume() {
                #expect(message.messagesLeft == nil)
                break
            }
        }
    }
}
