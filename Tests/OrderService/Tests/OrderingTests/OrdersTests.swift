import Ordering
import RabbitMQ
import RabbitMQTesting
import Testing

/// What orders are booked in, in a test: fails as often as it is told to.
private actor Books {
    struct Unavailable: Error {}

    private(set) var booked: [Int] = []
    private var failures: [Int: Int]

    init(failures: [Int: Int] = [:]) { self.failures = failures }

    func book(_ order: Order) throws {
        if let left = failures[order.id], left > 0 {
            failures[order.id] = left - 1
            throw Unavailable()
        }
        booked.append(order.id)
    }
}

/// Without a server: the broker is in this process, and its clock moves when a test says so.
@Suite(.timeLimit(.minutes(1))) struct OrdersTests {
    private func withOrders(
        _ books: Books = Books(),
        _ body: (InProcessBroker, Connection, Orders) async throws -> Void
    ) async throws {
        var options = InProcessBroker.Options()
        options.clockRuns = false
        try await InProcessBroker.run(options) { broker in
            var configuration = broker.configuration
            configuration.logger.logLevel = .critical
            try await Connection.withConnection(configuration) { connection in
                let orders = try await Orders(connection) { try await books.book($0) }
                let working = Task { try await orders.worker.run() }
                defer { working.cancel() }
                try await broker.wait { $0.queue("shop.orders")?.consumers == 1 }
                try await body(broker, connection, orders)
            }
        }
    }

    /// How many messages wait for another try.
    private func waiting(_ broker: InProcessBroker) -> Int {
        broker.queues.filter { $0.name.hasPrefix("shop.orders.retry.") }.reduce(0) { $0 + $1.ready }
    }

    private func isSettled(_ broker: InProcessBroker) -> Bool {
        guard let queue = broker.queue("shop.orders") else { return false }
        return queue.ready == 0 && queue.unsettled == 0
    }

    @Test func `an order that is accepted is booked`() async throws {
        let books = Books()
        try await withOrders(books) { broker, _, orders in
            try await orders.accept(Order(id: 1, item: "tea"))
            try await broker.wait { _ in await books.booked == [1] }
            try await broker.wait { isSettled($0) }
        }
    }

    @Test func `one that can't be booked at once is tried again`() async throws {
        let books = Books(failures: [1: 2])
        try await withOrders(books) { broker, _, orders in
            try await orders.accept(Order(id: 1, item: "tea"))
            for _ in 0..<2 {
                try await broker.wait { waiting($0) == 1 }
                #expect(await books.booked.isEmpty)
                broker.advance(by: .seconds(60))
            }
            try await broker.wait { _ in await books.booked == [1] }
            try await broker.wait { isSettled($0) }
        }
    }

    @Test func `one that can't be booked at all is parked, with the reason`() async throws {
        try await withOrders(Books(failures: [1: 100])) { broker, _, orders in
            try await orders.accept(Order(id: 1, item: "tea"))
            for _ in 0..<4 {
                try await broker.wait { waiting($0) == 1 }
                broker.advance(by: .seconds(60))
            }
            try await broker.wait { $0.queue("shop.orders.parked")?.ready == 1 && isSettled($0) }
            let parked = try #require(broker.messages(in: "shop.orders.parked").first?.message.parked)
            #expect(parked.attempts == 5)
            #expect(parked.errorText?.contains("Unavailable") == true)
            #expect(try parked.original.decode(Order.self).id == 1)
        }
    }

    @Test func `one for what is not to be had is parked at once`() async throws {
        let books = Books()
        try await withOrders(books) { broker, _, orders in
            try await orders.accept(Order(id: 1, item: "gold"))
            try await broker.wait { $0.queue("shop.orders.parked")?.ready == 1 && isSettled($0) }
            #expect(broker.messages(in: "shop.orders.parked").first?.message.parked?.errorText == "there is no gold")
            #expect(await books.booked.isEmpty)
        }
    }

    @Test func `a connection that is lost with an order loses no order`() async throws {
        let books = Books()
        try await withOrders(books) { broker, _, orders in
            broker.inject(.cut, at: .publish(routingKey: "shop.orders"))
            try await orders.accept(Order(id: 1, item: "tea"))
            try await broker.wait { _ in await books.booked == [1] }
            try await broker.wait { isSettled($0) }
        }
    }

    @Test func `where nobody knows whether the broker has it, it comes twice`() async throws {
        let books = Books()
        try await withOrders(books) { broker, _, orders in
            // A reset takes the confirm along.
            broker.inject(.reset.afterwards, at: .publish(routingKey: "shop.orders"))
            try await orders.accept(Order(id: 1, item: "tea"))
            try await broker.wait { _ in await books.booked.count >= 2 }
            try await broker.wait { isSettled($0) }
            #expect(Set(await books.booked) == [1])
        }
    }

    @Test func `prices are answered, also if the connection is lost with the question`() async throws {
        try await withOrders { broker, _, orders in
            #expect(try await orders.price(of: "tea") == Price(cents: 350))
            broker.inject(.cut, at: .publish(routingKey: "shop.prices"))
            #expect(try await orders.price(of: "coffee") == Price(cents: 420))
            do {
                _ = try await orders.price(of: "gold")
                Issue.record("gold has a price")
            } catch let failure as RPCFailure {
                #expect(failure.code == "no-such-item")
            }
        }
    }

    @Test func `a shutdown leaves every order booked, or in its queue`() async throws {
        let books = Books()
        try await withOrders(books) { broker, connection, orders in
            for id in 1...20 { try await orders.accept(Order(id: id, item: "tea")) }
            let report = await connection.shutdown(within: .seconds(5))
            #expect(report.isComplete)
            try await broker.wait { $0.connections.isEmpty }
            let booked = await books.booked
            #expect(Set(booked).count == booked.count)
            #expect(booked.count + (broker.queue("shop.orders")?.ready ?? 0) == 20)
        }
    }
}
