internal import CAllocationCounter
internal import RabbitMQ

/// Prints how many heap allocations a publish and a delivery take, in a process of its own where nothing else runs.
///
/// Called with the broker's URI.
@main
struct AllocationProbe {
    static let count = 20_000
    static let rounds = 6

    static func main() async throws {
        let arguments = CommandLine.arguments
        var configuration = try ConnectionConfiguration(uri: arguments.count > 1 ? arguments[1] : "amqp://127.0.0.1")
        configuration.heartbeat = .zero
        try await Connection.withConnection(configuration) { connection in
            let channel = try await connection.openChannel()
            let queue = try await channel.declareQueue(exclusive: true)
            let exchange = try await channel.declareExchange("")
            let message = Message(body: [UInt8](repeating: 1, count: 100))

            let perPublish = try await fewest { try await publish(message, to: exchange, queue.name) }
            let deliveries = try await queue.consume(.noAck).makeAsyncIterator()
            let perDelivery = try await fewest { try await take(from: deliveries) }
            print("publish \(perPublish) delivery \(perDelivery)")
        }
    }

    /// Counts a message's allocations in the best of several rounds: the first fill buffers and caches, and in others the
    /// machine may be so busy that each few messages are written, or handed over, by themselves.
    private static func fewest(_ round: () async throws -> Void) async throws -> Double {
        var fewest = Double.infinity
        for _ in 0..<rounds {
            let before = allocation_count()
            try await round()
            fewest = min(fewest, Double(allocation_count() - before) / Double(count))
        }
        return fewest
    }

    private static func publish(_ message: Message, to exchange: Exchange, _ key: String) async throws {
        for _ in 0..<count { try await exchange.publish(message, routingKey: key, mandatory: false) }
        try await exchange.channel.setQos()
    }

    private static func take(from deliveries: Deliveries.AsyncIterator) async throws {
        var deliveries = deliveries
        for _ in 0..<count { _ = try await deliveries.next() }
    }
}
