import RabbitMQ

/// Takes orders, has them booked, and knows what things cost: all that the service has to do with RabbitMQ.
///
/// It needs no care when the connection is lost: that is made again, and what belongs to it goes on.
package final class Orders: Sendable {
    /// Tried again after half a second, then 2, 8 and 32; then parked in `shop.orders.parked`.
    private static let policy = RetryPolicy(attempts: 5, delay: .milliseconds(500), factor: 4)

    /// Has the orders booked that wait: a service of its own.
    package let worker: ConsumerService
    /// Answers what things cost: the same.
    package let priceServer: RPCServer
    private let publisher: Publisher
    private let prices: RPCClient

    /// Declares what is needed, and begins to answer questions.
    ///
    /// - Parameters:
    ///   - connection: Where to.
    ///   - book: Books an order. It may get one again that it has booked; what it throws has the order tried again.
    package init(_ connection: Connection, book: @escaping @Sendable (Order) async throws -> Void) async throws {
        let channel = try await connection.openChannel()
        try await channel.declareQueue("shop.orders", arguments: QueueArguments(type: .quorum))
        let questions = try await channel.declareQueue("shop.prices")
        publisher = try await connection.openPublisher()
        prices = try await connection.openRPCClient(routingKey: "shop.prices")
        priceServer = try await questions.serve { (request: PriceRequest) in
            guard let cents = Price.list[request.item] else { throw RPCFailure("no-such-item", request.item) }
            return Price(cents: cents)
        }
        worker = ConsumerService(
            connection,
            queue: "shop.orders",
            prefetchCount: 40,
            maxConcurrency: 8,
            retrying: Orders.policy
        ) { message in
            let order = try message.decode(Order.self)
            guard Price.list[order.item] != nil else { throw RetryDecision.park("there is no \(order.item)") }
            try await book(order)
        }
    }

    /// Returns once the broker has the order, on disk; also over a connection that is lost meanwhile.
    package func accept(_ order: Order) async throws {
        let message = try Message(encoding: order, deliveryMode: .persistent, messageID: "\(order.id)")
        try await publisher.publish(message, routingKey: "shop.orders")
    }

    /// What something costs.
    ///
    /// - Throws: An `RPCFailure` with the code `no-such-item`; errors of the connection.
    package func price(of item: String) async throws -> Price {
        var triesLeft = 3
        while true {
            do {
                return try await prices.call(PriceRequest(item: item))
            } catch AMQPError.Code.outcomeUnknown where triesLeft > 1 {
                // The connection was lost, perhaps with the answer: to ask twice does no harm.
                triesLeft -= 1
            }
        }
    }
}
