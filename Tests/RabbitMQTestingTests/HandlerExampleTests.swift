import RabbitMQ
import RabbitMQTesting
import Testing

// The page TestingAHandler.md shows this file: a test compares the two.

/// A worker as a service has it: what fails comes again after half a minute, three times at the most, then it is parked.
struct OrderWorker {
    struct Order: Codable, Sendable { var id: Int }

    static let policy = RetryPolicy(attempts: 4, delay: .seconds(30), factor: 1)

    let configuration: ConnectionConfiguration
    let book: @Sendable (Order) async throws -> Void

    func run() async throws {
        try await Connection.withConnection(configuration) { connection in
            let channel = try await connection.openChannel()
            try await channel.setQos(prefetchCount: 10)
            let orders = try await channel.declareQueue("orders", arguments: QueueArguments(type: .quorum))
            try await orders.process(Order.self, retrying: Self.policy) { order, _ in
                try await book(order)
            }
        }
    }
}

/// What the worker books with, in a test.
actor Ledger {
    struct Unavailable: Error {}

    private(set) var booked: [Int] = []
    private var failures: [Int: Int]

    init(failures: [Int: Int]) { self.failures = failures }

    func book(_ order: OrderWorker.Order) throws {
        if let left = failures[order.id], left > 0 {
            failures[order.id] = left - 1
            throw Unavailable()
        }
        booked.append(order.id)
    }
}

@Suite(.timeLimit(.minutes(1))) struct OrderWorkerTests {
    @Test func `what fails is tried again, and a cut loses nothing`() async throws {
        try await InProcessBroker.run { broker in
            let ledger = Ledger(failures: [2: 1, 3: 100])
            let worker = OrderWorker(configuration: broker.configuration) { try await ledger.book($0) }
            let running = Task { try await worker.run() }
            defer { running.cancel() }
            try await broker.wait { $0.queue("orders")?.consumers == 1 }

            // The connection is cut with the first acknowledgement, which is lost.
            broker.inject(.cut, at: .method("basic.ack"))
            broker.publish(try Message(encoding: OrderWorker.Order(id: 1)), routingKey: "orders")
            try await broker.wait { _ in await ledger.booked == [1, 1] }

            for id in 2...4 { broker.publish(try Message(encoding: OrderWorker.Order(id: id)), routingKey: "orders") }
            try await broker.wait { $0.queue("orders.retry.30000")?.ready == 2 }
            broker.advance(by: .seconds(30))
            try await broker.wait { _ in await ledger.booked == [1, 1, 4, 2] }

            for _ in 0..<2 {
                try await broker.wait { $0.queue("orders.retry.30000")?.ready == 1 }
                broker.advance(by: .seconds(30))
            }
            try await broker.wait { $0.queue("orders.parked")?.ready == 1 && $0.queue("orders")?.unsettled == 0 }
            let parked = try #require(broker.messages(in: "orders.parked").first?.message.parked)
            #expect(parked.attempts == 4)
            #expect(parked.errorText?.contains("Unavailable") == true)
            #expect(try parked.original.decode(OrderWorker.Order.self).id == 3)
            running.cancel()
            _ = await running.result
        }
    }
}
