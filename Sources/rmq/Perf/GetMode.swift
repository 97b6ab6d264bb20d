#if Tool
internal import Histogram
internal import RabbitMQ

/// Asks for a message, acknowledges it, and asks for the next.
struct GetMode {
    let options: PerfOptions
    let progress: Progress

    func run() async throws -> PerfResult {
        try await PerfSession.use(options, connections: 1, channels: 1) { session in
            let queue = session.queue.queue
            try await session.queue.fill(
                with: options.messages + options.warmup,
                options: options,
                on: session.channels[0]
            )
            var histogram = Histogram<UInt64>(numberOfSignificantValueDigits: .three)
            var meter = Meter()
            for number in 0..<(options.warmup + options.messages) {
                if number == options.warmup { meter = Meter() }
                let start = ContinuousClock.now
                guard let message = try await queue.get() else { throw PerfError("The queue is empty too early.") }
                try message.ack()
                if number >= options.warmup {
                    histogram.record(UInt64((ContinuousClock.now - start) / .nanoseconds(1)))
                }
                progress.add(1)
            }
            return PerfResult(usage: meter.read(), latencies: histogram)
        }
    }
}
#endif
