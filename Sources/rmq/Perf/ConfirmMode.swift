#if Tool
internal import Histogram
internal import RabbitMQ

/// Publishes and waits for the confirm of each message before the next, in one task or in several on the same channel.
struct ConfirmMode {
    let options: PerfOptions
    let progress: Progress

    func run() async throws -> PerfResult {
        try await PerfSession.use(options, progress, connections: 1, channels: 1) { session in
            let channel = session.channels[0]
            try await channel.selectConfirms(maxUnconfirmed: max(options.window, options.tasks))
            let key = try await session.queue.routingKey(options)
            let exchange = try await channel.declareExchange(options.place.exchange, passive: true)
            let (body, mode) = ([UInt8](repeating: 0x78, count: options.size), options.deliveryMode)
            let calls = TimedCalls(options: options, progress: progress)
            let publish: @Sendable () async throws -> Void = {
                let message = Message(body: body, deliveryMode: mode)
                try await exchange.publishConfirmed(message, routingKey: key, mandatory: false)
            }
            _ = try await calls.run(options.warmup, publish)
            let meter = Meter()
            let latencies = try await calls.run(options.messages, until: options.deadline, publish)
            return PerfResult(usage: meter.read(), messages: Int(latencies.totalCount), latencies: latencies)
        }
    }
}
#endif
