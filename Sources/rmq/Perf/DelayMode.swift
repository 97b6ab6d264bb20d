#if Tool
internal import RabbitMQ

/// Publishes messages that say when, computes on, and asks the benchmark's null broker how long after that their last
/// bytes were there. No other broker knows.
struct DelayMode {
    let options: PerfOptions
    let progress: Progress

    /// Of a body, which holds a mark and the time.
    static let leastSize = 16
    private static let mark = Array("bench at".utf8)

    func run() async throws -> PerfResult {
        try await PerfSession.use(options, progress, connections: 1, channels: 1) { session in
            let channel = session.channels[0]
            let key = try await session.queue.routingKey(options)
            let exchange = try await channel.declareExchange(options.place.exchange, passive: true)
            let work = Work(microseconds: options.work)
            _ = try await publish(options.warmup, until: nil, isStamped: false, to: exchange, key, work)
            let meter = Meter()
            let count = try await publish(
                options.messages,
                until: options.deadline,
                isStamped: true,
                to: exchange,
                key,
                work
            )
            // The broker answers when it has taken all that was sent before.
            try await channel.setQos(prefetchCount: 0)
            let usage = meter.read()
            let delays = PerfReport.Latency(
                p50: try await delay(500, channel),
                p99: try await delay(990, channel),
                p999: try await delay(999, channel),
                max: try await delay(1000, channel)
            )
            return PerfResult(usage: usage, messages: count, work: work, delays: delays)
        }
    }

    /// - Returns: How many were published before the deadline.
    private func publish(
        _ count: Int,
        until deadline: ContinuousClock.Instant?,
        isStamped: Bool,
        to exchange: Exchange,
        _ key: String,
        _ work: Work
    ) async throws -> Int {
        var body = [UInt8](repeating: 0x78, count: options.size)
        if isStamped { body.replaceSubrange(0..<Self.mark.count, with: Self.mark) }
        let mode = options.deliveryMode
        var done = 0
        for _ in 0..<count {
            if isStamped {
                let now = Meter.monotonicNanoseconds
                for index in 0..<8 { body[8 + index] = UInt8(truncatingIfNeeded: now >> UInt64(56 - 8 * index)) }
            }
            let message = Message(body: body, deliveryMode: mode)
            try await exchange.publish(message, routingKey: key, mandatory: false)
            work.run()
            done += 1
            progress.add(1)
            if let deadline, ContinuousClock.now >= deadline { break }
        }
        return done
    }

    /// After how many microseconds so many of a thousand messages were there.
    private func delay(_ part: Int, _ channel: Channel) async throws -> Double {
        Double(try await channel.declareQueue("null.delay.\(part)", passive: true).messageCount) / 1000
    }
}
#endif
