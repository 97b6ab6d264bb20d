#if Tool
internal import RabbitMQ

/// Connections, each with a channel, that do nothing. What counts as a message is a second of one of them.
struct IdleMode {
    let options: PerfOptions
    let progress: Progress

    func run() async throws -> PerfResult {
        try await PerfSession.use(options, progress, connections: options.connections, channels: 1) { _ in
            let seconds = max(1, Int(options.seconds ?? 3))
            // What connecting has begun ends meanwhile.
            try await Task.sleep(for: .seconds(1))
            let meter = Meter()
            for _ in 0..<seconds {
                try await Task.sleep(for: .seconds(1))
                progress.giveSign()
            }
            return PerfResult(usage: meter.read(), messages: options.connections * seconds)
        }
    }
}
#endif
