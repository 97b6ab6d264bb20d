#if Tool
internal import Histogram
internal import RabbitMQ

/// Connects, opens a channel and closes, again and again.
struct ConnectMode {
    let options: PerfOptions
    let progress: Progress

    func run() async throws -> PerfResult {
        let configurations = try options.configurations()
        var histogram = Histogram<UInt64>(numberOfSignificantValueDigits: .three)
        let (meter, deadline) = (Meter(), options.deadline)
        for number in 0..<options.messages {
            let start = ContinuousClock.now
            if let deadline, start >= deadline { break }
            let connection = try await Connection.connect(configurations[number % configurations.count])
            _ = try await connection.openChannel()
            await connection.close()
            histogram.record(UInt64((ContinuousClock.now - start) / .nanoseconds(1)))
            progress.add(1)
        }
        return PerfResult(usage: meter.read(), messages: Int(histogram.totalCount), latencies: histogram)
    }
}
#endif
