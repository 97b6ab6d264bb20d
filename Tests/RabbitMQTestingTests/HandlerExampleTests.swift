import RabbitMQ
import RabbitMQTesting
import Testing

// The page TestingAHandler.md shows this file: a test compares the two.

/// A worker as a service has it: what fails comes again after half a minute, three times at the most, then it is parked.
struct OrderWorker {
    struct Order: Codable, Sendable { var id: Int }

    let configuration: ConnectionConfiguration
    let book: @Sendable (Order) async throws -> Void

    func run() async throws {
        try await Connection.withConnection(configuration) { connection in
            let channel = try await connection.openChannel()
            let retry = QueueArguments(
                messageTTL: .seconds(30),
                deadLetterExchange: "",
                deadLetterRoutingKey: "orders"
            )
            let failed = QueueArguments(deadLetterExchange: "", deadLetterRoutingKey: "orders.retry")
            _ = try await channel.declareQueue("orders.retry", arguments: retry)
            let parked = try await channel.declareQueue("orders.parked")
            let orders = try await channel.declareQueue("orders", arguments: failed)
            try await channel.selectConfirms()
            try await channel.setQos(prefetchCount: 10)
            for try await message in try await orders.consume() {
                do {
                    try await book(try message.decode(Order.self))
                } catch {
                    guard message.deaths.first?.count ?? 0 >= 3 else {
                        try message.reject(requeue: false)
                        continue
                    }
                    try await parked.publishConfirmed(message.message)
                }
                try message.ack()
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
            try await broker.wait { $0.queue("orders")?.consumers == 1 }

            // The connection is cut with the first acknowledgement, which is lost.
            broker.inject(.cut, at: .method("basic.ack"))
            broker.publish(try Message(encoding: OrderWorker.Order(id: 1)), routingKey: "orders")
            try await broker.wait { _ in await ledger.booked == [1, 1] }

            for id in 2...4 { broker.publish(try Message(encoding: OrderWorker.Order(id: id)), routingKey: "orders") }
            try await broker.wait { $0.queue("orders.retry")?.ready == 2 }
            broker.advance(by: .seconds(30))
            try await broker.wait { _ in await ledger.booked == [1, 1, 4, 2] }

            for _ in 0..<2 {
                try await broker.wait { $0.queue("orders.retry")?.ready == 1 }
                broker.advance(by: .seconds(30))
            }
            try await broker.wait { $0.queue("orders.parked")?.ready == 1 && $0.queue("orders")?.unsettled == 0 }
            #expect(broker.messages(in: "orders.parked").first?.message.deaths.first?.count == 3)
            running.cancel()
            _ = await running.result
        }
    }
}
