import RabbitMQ
import RabbitMQTesting
import Testing

// The page TestingServices.md shows this file: a test compares the two.

/// A service that says what things cost, until its task is cancelled.
struct PriceService {
    struct Request: Codable, Sendable { var item: String }
    struct Price: Codable, Sendable, Equatable { var cents: Int }

    let configuration: ConnectionConfiguration
    let look: @Sendable (_ item: String) async throws -> Int?

    func run() async throws {
        try await Connection.withConnection(configuration) { connection in
            let queue = try await connection.openChannel().declareQueue("prices")
            let server = try await queue.serve { (request: Request) -> Price in
                guard let cents = try await look(request.item) else {
                    throw RPCFailure("unknown-item", "there is no \(request.item)")
                }
                return Price(cents: cents)
            }
            if let reason = try await server.stopped { throw reason }
        }
    }
}

/// What the service looks prices up in, in a test.
actor PriceList {
    private(set) var lookups: [String] = []
    private let prices: [String: Int]

    init(_ prices: [String: Int]) { self.prices = prices }

    func price(of item: String) -> Int? {
        lookups.append(item)
        return prices[item]
    }
}

@Suite(.timeLimit(.minutes(1))) struct PriceServiceTests {
    private let list = PriceList(["tea": 350])
    private let tea = PriceService.Request(item: "tea")

    /// Runs the service on a broker of its own, and lends a client.
    private func withService(_ body: (InProcessBroker, RPCClient) async throws -> Void) async throws {
        try await InProcessBroker.run { broker in
            let service = PriceService(configuration: broker.configuration) { [list] in await list.price(of: $0) }
            let running = Task { try await service.run() }
            defer { running.cancel() }
            try await broker.wait { $0.queue("prices")?.consumers == 1 }
            try await Connection.withConnection(broker.configuration) { connection in
                let client = try await connection.openRPCClient(routingKey: "prices", timeout: .seconds(5))
                try await body(broker, client)
                await client.close()
            }
        }
    }

    @Test func `what has a price gets it, and what has none an error of its own`() async throws {
        try await withService { _, client in
            let price = try await client.call(tea, as: PriceService.Price.self)
            #expect(price == PriceService.Price(cents: 350))
            let gold = PriceService.Request(item: "gold")
            let error = await #expect(throws: RPCFailure.self) {
                try await client.call(gold, as: PriceService.Price.self)
            }
            #expect(error?.code == "unknown-item")
        }
    }

    @Test func `a reply that is lost with its connection is given by a second run`() async throws {
        try await withService { broker, client in
            // The first message that is published is the request, the second one its reply.
            broker.inject(.cut, at: .publish(), skipping: 1)
            let price = try await client.call(tea, as: PriceService.Price.self)
            #expect(price == PriceService.Price(cents: 350))
            #expect(await list.lookups == ["tea", "tea"])
        }
    }

    @Test func `who calls waits no longer than was said`() async throws {
        try await withService { broker, client in
            broker.inject(.ignore, at: .publish(routingKey: "prices"))
            let error = await #expect(throws: AMQPError.self) {
                try await client.call(tea, as: PriceService.Price.self, timeout: .milliseconds(50))
            }
            #expect(error?.code == .timedOut)
            #expect(await list.lookups.isEmpty)
        }
    }
}

/// The client alone: the test answers in the place of the service.
@Suite(.timeLimit(.minutes(1))) struct PriceClientTests {
    @Test func `a price that somebody else gives is read`() async throws {
        try await InProcessBroker.run { broker in
            try broker.declareQueue("prices")
            try await Connection.withConnection(broker.configuration) { connection in
                let client = try await connection.openRPCClient(routingKey: "prices", timeout: .seconds(5))
                let calling = Task {
                    try await client.call(PriceService.Request(item: "tea"), as: PriceService.Price.self)
                }
                try await broker.wait { $0.queue("prices")?.ready == 1 }
                let request = try #require(broker.messages(in: "prices").first?.message)
                let address = try #require(request.replyTo)
                let reply = try Message(encoding: PriceService.Price(cents: 350), correlationID: request.correlationID)
                #expect(broker.publish(reply, routingKey: address))
                #expect(try await calling.value == PriceService.Price(cents: 350))
                await client.close()
            }
        }
    }
}

/// Takes orders: when it returns, the broker has them.
struct OrderDesk {
    struct Order: Codable, Sendable { var id: Int }

    let publisher: Publisher

    init(_ connection: Connection) async throws {
        var options = Publisher.Options()
        options.nackedAgain = 2
        publisher = try await connection.openPublisher(options)
    }

    func accept(_ order: Order) async throws {
        let message = try Message(encoding: order, deliveryMode: .persistent)
        try await publisher.publish(message, routingKey: "orders")
    }
}

@Suite(.timeLimit(.minutes(1))) struct OrderDeskTests {
    /// Lends a desk with a broker of its own.
    private func withDesk(_ body: (InProcessBroker, OrderDesk) async throws -> Void) async throws {
        try await InProcessBroker.run { broker in
            try broker.declareQueue("orders")
            try await Connection.withConnection(broker.configuration) { connection in
                let desk = try await OrderDesk(connection)
                try await body(broker, desk)
                await desk.publisher.close()
            }
        }
    }

    @Test func `no order is lost, and one comes twice whose confirm was`() async throws {
        try await withDesk { broker, desk in
            let published = FaultOccasion.publish(routingKey: "orders")
            // The first order is refused, and taken when it is published again.
            broker.inject(.nack, at: published)
            // The second one is lost with the connection: what comes behind the refusal is the first one again.
            broker.inject(.cut, at: published, skipping: 1)
            // The third one is stored, and then the connection is reset, which takes the confirm along: before it come both
            // of the others again.
            broker.inject(.reset.afterwards, at: published, skipping: 2)
            for id in 1...3 { try await desk.accept(OrderDesk.Order(id: id)) }
            let ids = try broker.messages(in: "orders").map { try $0.message.decode(OrderDesk.Order.self).id }
            #expect(ids == [1, 2, 3, 3])
        }
    }

    @Test func `an order is not accepted before the broker says so`() async throws {
        try await withDesk { broker, desk in
            broker.holdConfirms()
            let accepting = Task { try await desk.accept(OrderDesk.Order(id: 1)) }
            try await broker.wait { $0.heldConfirms == 1 }
            #expect(desk.publisher.unconfirmedCount == 1)
            broker.confirmAtOnce()
            try await accepting.value
            #expect(broker.queue("orders")?.ready == 1)
        }
    }

    @Test func `an order that nobody gets is an error`() async throws {
        try await withDesk { broker, desk in
            broker.deleteQueue("orders")
            let error = await #expect(throws: AMQPError.self) { try await desk.accept(OrderDesk.Order(id: 1)) }
            #expect(error?.code == .undeliverable)
        }
    }
}
