import RabbitMQ
import TestSupport
import Testing

@Suite("Messages decoded to a type")
struct DecodedDeliveryTests {
    private struct Order: Codable, Equatable, Sendable {
        var id: Int
        var item: String
    }

    private struct Failure: Error {}

    private func publish(to queue: Queue, _ bodies: [String]) async throws {
        let exchange = try await queue.channel.declareExchange("")
        for body in bodies { try await exchange.publish(Message(body), routingKey: queue.name) }
    }

    private let good = #"{"id":1,"item":"tea"}"#
    private let other = #"{"id":2,"item":"cake"}"#
    private let bad = #"{"id":"secret"}"#

    @Test("values come with their messages, in order")
    func values() async throws {
        try await TestBroker.withChannel { _, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            try await publish(to: queue, [good, other])
            var orders: [Order] = []
            for try await order in try await queue.messages(of: Order.self) {
                #expect(order.message.routingKey == queue.name)
                orders.append(order.value)
                try order.ack()
                if orders.count == 2 { break }
            }
            #expect(orders == [Order(id: 1, item: "tea"), Order(id: 2, item: "cake")])
        }
    }

    @Test("by default what does not decode ends the loop, and is not lost")
    func fails() async throws {
        try await TestBroker.withChannel { _, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            try await publish(to: queue, [bad])
            do {
                for try await order in try await queue.messages(of: Order.self) { Issue.record("\(order.value)") }
            } catch AMQPError.Code.decodingFailed {}
            try await eventually("the message is back") {
                guard let message = try await queue.get() else { return false }
                try message.ack()
                return try message.text() == bad
            }
        }
    }

    @Test("what does not decode is dead-lettered, and the log says so without the data")
    func deadLetters() async throws {
        let log = CapturedLog()
        var configuration = try TestBroker.configuration
        configuration.logger = log.logger
        try await Connection.withConnection(configuration) { connection in
            let channel = try await connection.openChannel()
            let dead = try await channel.declareQueue(exclusive: true)
            let queue = try await channel.declareQueue(
                exclusive: true,
                arguments: ["x-dead-letter-exchange": "", "x-dead-letter-routing-key": .string(dead.name)]
            )
            try await publish(to: queue, [bad, good])
            for try await order in try await queue.messages(of: Order.self, onUndecodable: .deadLetter) {
                #expect(order.value.id == 1)
                try await order.process { #expect($0.item == "tea") }
                break
            }
            try await eventually("the message is dead") { try await dead.get()?.text() == bad }
            #expect(log.entries(containing: "does not decode").count == 1)
            #expect(log.entries(containing: "secret").isEmpty)
        }
    }

    @Test("what does not decode is dropped, or handed to a closure, and the loop goes on")
    func goesOn() async throws {
        try await TestBroker.withChannel { _, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            let handed = Collected<String>()
            for policy in [UndecodablePolicy.discard, .handle { message, _ in handed.add(try message.text()) }] {
                try await publish(to: queue, [bad, bad, good])
                for try await order in try await queue.messages(of: Order.self, onUndecodable: policy) {
                    try order.ack()
                    break
                }
                let left = try await channel.declareQueue(queue.name, exclusive: true, passive: true)
                #expect(left.messageCount == 0)
            }
            #expect(handed.all == [bad, bad])
        }
    }

    @Test("a closure that throws ends the loop with its error")
    func closureThrows() async throws {
        try await TestBroker.withChannel { _, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            try await publish(to: queue, [bad])
            await #expect(throws: Failure.self) {
                let orders = try await queue.messages(
                    of: Order.self,
                    onUndecodable: .handle { _, _ in throw Failure() }
                )
                for try await _ in orders {}
            }
            try await eventually("the message is back") { try await queue.get() != nil }
        }
    }
}
