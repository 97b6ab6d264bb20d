internal import Logging
internal import RabbitMQ

/// The queue and the exchange that a measurement uses.
enum PerfQueue {
    static func declare(_ options: PerfOptions, on channel: Channel) async throws -> Queue {
        if let name = options.queue {
            do {
                // What looking for it finds is no news.
                var quiet = try options.configuration()
                quiet.logger.logLevel = .error
                return try await Connection.withConnection(quiet) { connection in
                    try await connection.openChannel().declareQueue(name, passive: true)
                }.on(channel)
            } catch AMQPError.Code.notFound {
                return try await channel.declareQueue(name, durable: false, autoDelete: true)
            }
        }
        return try await channel.declareQueue(durable: false, autoDelete: true)
    }

    static func exchange(_ options: PerfOptions, on channel: Channel) async throws -> Exchange {
        try await channel.declareExchange(options.exchange, passive: true)
    }

    /// Publishes until `count` messages are ready.
    static func fill(_ queue: Queue, with count: Int, options: PerfOptions, on channel: Channel) async throws {
        let exchange = try await channel.declareExchange("")
        let missing = count - queue.messageCount
        guard missing > 0 else { return }
        let body = [UInt8](repeating: 0x78, count: options.size)
        for _ in 0..<missing {
            try await exchange.publish(Message(body: body, deliveryMode: .transient), routingKey: queue.name)
        }
        try await channel.setQos(prefetchCount: 0)
    }
}

extension Queue {
    /// The same queue, used over another channel.
    fileprivate func on(_ channel: Channel) async throws -> Queue {
        try await channel.declareQueue(name, passive: true)
    }
}
