import RabbitMQ
import TestSupport
import Testing

@Suite("Reference: getting one message", .timeLimit(.minutes(1)))
struct GetRows {
    @Test("row 19: get gives a message, or nil when the queue is empty")
    func get() async throws {
        try await TestBroker.withQueue { connection, _, queue, exchange in
            #expect(try await queue.get() == nil)
            try await exchange.publishNumbers(0..<2, to: queue)
            try await connection.waitForMessages(2, in: queue)
            let first = try #require(try await queue.get())
            #expect(first.number == 0)
            #expect(first.consumerTag == nil)
            #expect(first.exchangeName == "")
            #expect(first.routingKey == queue.name)
            #expect(!first.redelivered)
            try first.reject()
            let again = try #require(try await queue.get())
            #expect(again.number == 0)
            #expect(again.redelivered)
            try again.ack()
            let second = try #require(try await queue.get(noAck: true))
            #expect(second.number == 1)
            #expect(throws: AMQPError.self) { try second.ack() }
            #expect(try await queue.get() == nil)
        }
    }

    @Test("row 19: concurrent gets are answered in order: each with a message of the queue it asked")
    func concurrent() async throws {
        try await TestBroker.withQueue { connection, channel, queue, exchange in
            let other = try await channel.declareQueue(exclusive: true)
            let empty = try await channel.declareQueue(exclusive: true)
            try await exchange.publishNumbers(0..<100, to: queue)
            try await exchange.publishNumbers(1000..<1100, to: other)
            try await connection.waitForMessages(100, in: queue)
            try await connection.waitForMessages(100, in: other)
            let numbers = try await withThrowingTaskGroup(of: (Int, Int?).self) { group in
                for index in 0..<300 {
                    let asked = [queue, other, empty][index % 3]
                    group.addTask { (index % 3, try await asked.get(noAck: index.isMultiple(of: 2))?.number) }
                }
                return try await group.reduce(into: [Int: [Int?]]()) { $0[$1.0, default: []].append($1.1) }
            }
            #expect(Set(numbers[0] ?? []) == Set(0..<100))
            #expect(Set(numbers[1] ?? []) == Set(1000..<1100))
            #expect(numbers[2] == Array(repeating: nil, count: 100))
        }
    }
}
