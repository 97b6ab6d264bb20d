import RabbitMQ

struct Order: Codable, Sendable {
    var id: Int
}

let configuration = try ConnectionConfiguration(uri: "amqp://guest:guest@localhost:5672")

try await Connection.withConnection(configuration) { connection in
    let channel = try await connection.openChannel()
    try await channel.selectConfirms()
    try await channel.setQos(prefetchCount: 100)

    // What fails twice goes to the second queue.
    let queue = try await channel.declareQueue(
        "orders",
        arguments: QueueArguments(type: .quorum, deadLetterExchange: "", deadLetterRoutingKey: "orders.failed")
    )
    try await channel.declareQueue("orders.failed", arguments: QueueArguments(type: .quorum))

    // Returns when the broker has it, on disk.
    try await queue.publishConfirmed(Message(encoding: Order(id: 17), deliveryMode: .persistent))

    // Acknowledges each order when its call has returned, and goes on when the connection was lost and made again.
    try await queue.messages(of: Order.self).process(maxConcurrency: 10) { order in
        print("order \(order.id)")
    }
}
