#if Tool
internal import Logging
internal import RabbitMQ

/// The queue that a measurement uses: its own, which is gone afterwards, or one that exists and stays.
struct PerfQueue {
    let queue: Queue
    /// Whether it has to be deleted: the broker deletes one that is exclusive when its connection ends, however it ends.
    let mustBeDeleted: Bool

    /// Makes the queue, or finds it.
    ///
    /// - Parameter isShared: Whether several connections consume from it, so that it can't be exclusive.
    static func make(_ options: PerfOptions, isShared: Bool, on channel: Channel) async throws -> PerfQueue {
        if options.place.useExisting, let name = options.place.queue {
            guard try await exists(name, options) else {
                throw PerfError("There is no queue \(name). Without --use-existing, one is made.")
            }
            return PerfQueue(queue: try await channel.declareQueue(name, passive: true), mustBeDeleted: false)
        }
        // Others than classic ones can't be exclusive.
        let mayBeExclusive = !isShared && options.place.queueType == .classic
        return mayBeExclusive
            ? try await makeExclusive(options, on: channel) : try await makeShared(options, on: channel)
    }

    /// To declare it is to ask whether there is one already: no other connection's queue is taken for an exclusive one.
    private static func makeExclusive(_ options: PerfOptions, on channel: Channel) async throws -> PerfQueue {
        do {
            let queue = try await channel.declareQueue(
                options.place.queue ?? madeUpName,
                durable: false,
                exclusive: true,
                // Whatever the virtual host's default is.
                arguments: QueueArguments(type: .classic)
            )
            return PerfQueue(queue: queue, mustBeDeleted: false)
        } catch let error as AMQPError where error.code == .resourceLocked || error.code == .preconditionFailed {
            throw refusal(options.place.queue ?? "", because: error)
        }
    }

    /// Durable, as later brokers want it to be.
    private static func makeShared(_ options: PerfOptions, on channel: Channel) async throws -> PerfQueue {
        if let name = options.place.queue, try await exists(name, options) { throw refusal(name) }
        let queue = try await channel.declareQueue(
            options.place.queue ?? madeUpName,
            arguments: options.place.queueType.arguments
        )
        return PerfQueue(queue: queue, mustBeDeleted: true)
    }

    /// As short as the names that brokers make up: what is measured is not the length of a routing key.
    private static var madeUpName: String {
        "rmq.perf." + String(UInt32.random(in: 1 << 30...(.max >> 1)), radix: 36)
    }

    private static func refusal(_ name: String, because error: AMQPError? = nil) -> PerfError {
        PerfError(
            "The queue \(name) exists, and nothing was done to it\(error.map { " (\($0.message))" } ?? ""). "
                + "--use-existing uses it."
        )
    }

    /// Looks for a queue on a connection of its own: the broker closes a channel on which one is not found.
    private static func exists(_ name: String, _ options: PerfOptions) async throws -> Bool {
        var quiet = try options.configuration()
        // What looking for it finds is no news.
        quiet.logger.logLevel = .critical
        do {
            return try await Connection.withConnection(quiet) { connection in
                _ = try await connection.openChannel().declareQueue(name, passive: true)
                return true
            }
        } catch AMQPError.Code.notFound {
            return false
        } catch AMQPError.Code.resourceLocked {
            return true
        }
    }

    /// The routing key to publish with. One that names another queue would leave messages there.
    func routingKey(_ options: PerfOptions) async throws -> String {
        let place = options.place
        guard let key = place.routingKey, key != queue.name else { return queue.name }
        if place.exchange.isEmpty, !place.leaveMessages, !key.isEmpty, try await Self.exists(key, options) {
            throw PerfError(
                "The routing key \(key) names a queue that exists, in which messages would stay: "
                    + "if they may, add --leave-messages."
            )
        }
        return key
    }

    /// Publishes until `count` messages are ready.
    func fill(with count: Int, options: PerfOptions, _ progress: Progress, on channel: Channel) async throws {
        let exchange = try await channel.declareExchange("")
        let missing = count - queue.messageCount
        guard missing > 0 else { return }
        let body = [UInt8](repeating: 0x78, count: options.size)
        let headers = PerfHeaders(bytes: options.headers)
        let (stride, mode) = (options.stride, options.deliveryMode)
        for number in 0..<missing {
            let message = Message(body: body, headers: headers.table(number), deliveryMode: mode)
            try await exchange.publish(message, routingKey: queue.name)
            if number & (stride - 1) == 0 { progress.giveSign() }
        }
        try await channel.setQos(prefetchCount: 0)
    }
}

/// Why a measurement can't be made, in words.
struct PerfError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
#endif
