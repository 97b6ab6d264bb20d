#if Tool
internal import Histogram
internal import RabbitMQ

/// Asks whether the queue is there, again and again: a round trip without a message.
struct DeclareMode {
    let options: PerfOptions
    let progress: Progress

    func run() async throws -> PerfResult {
        try await PerfSession.use(options, progress, connections: 1, channels: 1) { session in
            let (channel, name) = (session.channels[0], session.queue.queue.name)
            let calls = TimedCalls(options: options, progress: progress)
            let declare: @Sendable () async throws -> Void = {
                _ = try await channel.declareQueue(name, passive: true)
            }
            _ = try await calls.run(options.warmup, declare)
            let meter = Meter()
            let latencies = try await calls.run(options.messages, until: options.deadline, declare)
            return PerfResult(usage: meter.read(), messages: Int(latencies.totalCount), latencies: latencies)
        }
    }
}
#endif
