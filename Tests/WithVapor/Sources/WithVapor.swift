// The code of the article WithVapor in the documentation; BesideOthersTests holds the one against the other.
import RabbitMQ
import Vapor

struct Order: Content {
    var id: Int
}

/// Answers once the broker has the order.
func addRoutes(to application: Application, _ connection: Connection, _ publisher: Publisher) {
    application.post("orders") { request async throws -> HTTPStatus in
        let order = try request.content.decode(Order.self)
        do {
            let message = try Message(encoding: order, deliveryMode: .persistent)
            try await publisher.publish(message, to: "orders", routingKey: "order.new")
        } catch let error as AMQPError where error.isRetryable {
            request.logger.warning("an order was not taken: \(error)")
            throw Abort(.serviceUnavailable)
        }
        return .accepted
    }
    application.get("health") { _ async -> HTTPStatus in
        connection.health.isHealthy ? .ok : .serviceUnavailable
    }
}

/// Declares what the service needs, on a channel for its worker.
func openQueue(_ connection: Connection) async throws -> Queue {
    let channel = try await connection.openChannel()
    try await channel.setQos(prefetchCount: 100)
    try await channel.declareQueue("orders.failed", arguments: QueueArguments(type: .quorum))
    let queue = try await channel.declareQueue(
        "orders",
        arguments: QueueArguments(type: .quorum, deadLetterExchange: "", deadLetterRoutingKey: "orders.failed")
    )
    try await queue.bind(to: channel.declareExchange("orders", type: .topic), routingKey: "order.#")
    return queue
}

/// Takes orders until the connection shuts down.
func work(_ queue: Queue) async throws {
    try await queue.messages(of: Order.self).process(maxConcurrency: 10) { order in
        print("took order \(order.id)")
    }
}

/// Serves until a signal comes. When this returns, the last request is answered.
func serve(_ environment: Environment, _ connection: Connection, _ publisher: Publisher) async throws {
    let application = try await Application.make(environment)
    addRoutes(to: application, connection, publisher)
    do {
        try await application.execute()
    } catch {
        try? await application.asyncShutdown()
        throw error
    }
    try await application.asyncShutdown()
}

/// The connection around, the server inside: what is inside ends first.
func run(_ environment: Environment, _ configuration: ConnectionConfiguration) async throws {
    try await Connection.withConnection(configuration) { connection in
        let queue = try await openQueue(connection)
        async let working: Void = work(queue)
        try await connection.withPublisher { publisher in
            try await serve(environment, connection, publisher)
        }
        await connection.shutdown()
        try await working
    }
}

@main
struct App {
    static func main() async throws {
        var environment = try Environment.detect()
        try LoggingSystem.bootstrap(from: &environment)
        let uri = Environment.get("RABBITMQ_URI") ?? "amqp://guest:guest@localhost:5672"
        var configuration = try ConnectionConfiguration(uri: uri)
        configuration.recovery.retriesFirstConnect = true
        try await run(environment, configuration)
    }
}
