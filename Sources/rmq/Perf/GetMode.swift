#if Tool
internal import Histogram
internal import RabbitMQ

/// Asks for a message, acknowledges it, and asks for the next.
struct GetMode {
    let options: PerfOptions
    let progress: Progress

    func run() async throws -> PerfResult {
        try await PerfSession.use(options, progress, connections: 1, channels: 1) { session in
            let queue = session.queue.queue
            try await session.queue.fill(
                with: options.messages + options.warmup,
                options: options,
                progress,
                on: session.channels[0]
            )
            var histogram = Histogram<UInt64>(numberOfSignificantValueDigits: .three)
            var (meter, deadline) = (Meter(), options.deadline)
            for number in 0..<(options.warmup + options.messages) {
                if number == options.warmup { (meter, deadline) = (Meter(), options.deadline) }
                let start = ContinuousClock.now
                if number > options.warmup, let deadline, start >= deadline { break }
                guard let message = try await queue.get() else { throw PerfError("The queue is empty too early.") }
                try message.ack()
                if number >= options.warmup {
                    histogram.record(UInt64((ContinuousClock.now - start) / .nanoseconds(1)))
                }
                progress.add(1)
            }
            return PerfResult(usage: meter.read(), messages: Int(histogram.totalCount), latencies: histogram)
        }
    }
}
#endif
