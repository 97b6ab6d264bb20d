// The code of the article BesideOthers in the documentation; BesideOthersTests holds the one against the other.
import Hummingbird
import NIOCore
import NIOSSL
import RabbitMQ
import ServiceLifecycle

/// Writes to a connection of NIO's what is in a queue.
func forward(from amqp: RabbitMQ.Channel, to tcp: any NIOCore.Channel) async throws {
    let queue = try await amqp.declareQueue("lines")
    for try await message in try await queue.consume() {
        try await tcp.writeAndFlush(ByteBuffer(bytes: message.body))
        try message.ack()
    }
}

/// Publishes what such a connection has received.
func publish(_ line: ByteBuffer, to exchange: Exchange) async throws {
    try await exchange.publish(Message(body: Array(line.readableBytesView)), routingKey: "lines")
}

/// Trusts the same authorities with NIO's TLS and with this library's.
func trust(_ authorities: String) -> (TLSConfiguration, ConnectionConfiguration.TLS) {
    var nio = TLSConfiguration.makeClientConfiguration()
    nio.trustRoots = .file(authorities)
    let broker = ConnectionConfiguration.TLS(trustRoots: [.file(authorities)])
    return (nio, broker)
}

struct Order: Codable, Sendable {
    var id: Int
}

/// Holds a connection until the services shut down. When it is lost it is made again, and publishing waits for that.
actor Broker: Service {
    private let configuration: ConnectionConfiguration
    private var exchange: Exchange?

    init(_ configuration: ConnectionConfiguration) {
        self.configuration = configuration
    }

    func run() async throws {
        try await Connection.withConnection(configuration) { connection in
            let channel = try await connection.openChannel()
            try await channel.selectConfirms()
            exchange = try await channel.declareExchange("orders", type: .topic)
            defer { exchange = nil }
            // Until the end for good, which has a reason. Shutting down cancels the wait.
            if let reason = try? await cancelWhenGracefulShutdown({ try await channel.closed }) { throw reason }
        }
    }

    func publish(_ order: Order) async throws {
        guard let exchange else { throw HTTPError(.serviceUnavailable) }
        let message = try Message(encoding: order, deliveryMode: .persistent)
        try await exchange.publishConfirmed(message, routingKey: "order.new")
    }
}

/// Takes orders until the services shut down.
struct OrderDesk: Service {
    let configuration: ConnectionConfiguration

    func run() async throws {
        try await Connection.withConnection(configuration) { connection in
            let channel = try await connection.openChannel()
            try await channel.setQos(prefetchCount: 100)
            let queue = try await channel.declareQueue("orders")
            try await queue.bind(to: channel.declareExchange("orders", type: .topic), routingKey: "order.#")
            for try await message in try await queue.consume().cancelOnGracefulShutdown() {
                print("took order \(try message.decode(Order.self).id)")
                try message.ack()
            }
        }
    }
}

@main
struct App {
    static func main() async throws {
        let environment = Environment()
        let uri = environment.get("RABBITMQ_URI") ?? "amqp://guest:guest@localhost:5672"
        var configuration = try ConnectionConfiguration(uri: uri)
        configuration.recovery.retriesFirstConnect = true
        configuration.recovery.unconfirmed = .resend
        let broker = Broker(configuration)
        let router = Router()
        router.post("orders") { request, context in
            try await broker.publish(request.decode(as: Order.self, context: context))
            return HTTPResponse.Status.accepted
        }
        let app = Application(
            router: router,
            configuration: ApplicationConfiguration(
                address: .hostname("127.0.0.1", port: environment.get("PORT", as: Int.self) ?? 8080)
            ),
            services: [broker, OrderDesk(configuration: configuration)]
        )
        try await app.runService()
    }
}
