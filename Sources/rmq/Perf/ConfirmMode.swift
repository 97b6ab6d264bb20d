#if Tool
internal import Histogram
internal import RabbitMQ

/// Publishes and waits for the confirm of each message before the next, in one task or in several on the same channel.
struct ConfirmMode {
    let options: PerfOptions
    let progress: Progress

    func run() async throws -> PerfResult {
        try await PerfSession.use(options, connections: 1, channels: 1) { session in
            let channel = session.channels[0]
            try await channel.selectConfirms(maxUnconfirmed: max(options.window, options.tasks))
            let key = try await session.queue.routingKey(options)
            let exchange = try await channel.declareExchange(options.exchange, passive: true)
            _ = try await publish(options.warmup, to: exchange, key)
            let meter = Meter()
            let latencies = try await publish(options.messages, to: exchange, key)
            return PerfResult(usage: meter.read(), latencies: latencies)
        }
    }

    private func publish(_ count: Int, to exchange: Exchange, _ key: String) async throws -> Histogram<UInt64> {
        let body = [UInt8](repeating: 0x78, count: options.size)
        var latencies = Histogram<UInt64>(numberOfSignificantValueDigits: .three)
        try await withThrowingTaskGroup(of: [UInt64].self) { group in
            for index in 0..<options.tasks {
                let share = PerfOptions.share(of: count, index: index, count: options.tasks)
                group.addTask {
                    var times: [UInt64] = []
                    times.reserveCapacity(share)
                    for _ in 0..<share {
                        let start = ContinuousClock.now
                        let message = Message(body: body, deliveryMode: .transient)
                        try await exchange.publish(message, routingKey: key, mandatory: false).confirmed()
                        times.append(UInt64((ContinuousClock.now - start) / .nanoseconds(1)))
                    }
                    progress.add(share)
                    return times
                }
            }
            for try await times in group { for time in times { latencies.record(time) } }
        }
        return latencies
    }
}
#endif
