#if Tool
internal import RabbitMQ

/// Publishes, on one task for each channel, with confirms or without.
struct PublishMode {
    let options: PerfOptions
    let progress: Progress
    let confirms: Bool

    func run() async throws -> PerfResult {
        let (connections, channels) = (options.connections, options.channels)
        return try await PerfSession.use(options, progress, connections: connections, channels: channels) { session in
            let channels = session.channels
            for channel in channels where confirms {
                try await channel.selectConfirms(maxUnconfirmed: options.window)
                progress.giveSign()
            }
            let work = Work(microseconds: options.work)
            let key = try await session.queue.routingKey(options)
            do {
                _ = try await publish(options.warmup, on: channels, key: key, work)
                let meter = Meter()
                let count = try await publish(
                    options.messages,
                    until: options.deadline,
                    rate: options.rate,
                    on: channels,
                    key: key,
                    work
                )
                return PerfResult(usage: meter.read(), messages: count, work: work)
            } catch {
                if confirms { await settle(channels) }
                throw error
            }
        }
    }

    /// Waits until messages that were on their way are confirmed: of each that isn't when its connection closes, the
    /// library's log would say so.
    private func settle(_ channels: [Channel]) async {
        let end = ContinuousClock.now + .seconds(2)
        // In a task of its own: one that was cancelled waits for nothing.
        await Task {
            for channel in channels { try? await channel.waitForConfirms(timeout: max(.zero, end - .now)) }
        }.value
    }

    /// - Returns: How many were published before the deadline.
    private func publish(
        _ count: Int,
        until deadline: ContinuousClock.Instant? = nil,
        rate: Double? = nil,
        on channels: [Channel],
        key: String,
        _ work: Work
    ) async throws -> Int {
        try await withThrowingTaskGroup(of: Int.self) { group in
            for (index, channel) in channels.enumerated() {
                let share = PerfOptions.share(of: count, index: index, count: channels.count)
                let phase = Double(index) / Double(channels.count)
                let pace = rate.map { Pace(rate: $0 / Double(channels.count), phase: phase) }
                group.addTask {
                    try await publish(share, until: deadline, pace, on: channel, key: key, work)
                }
            }
            var done = 0
            for try await part in group {
                done += part
                progress.giveSign()
            }
            return done
        }
    }

    private func publish(
        _ count: Int,
        until deadline: ContinuousClock.Instant?,
        _ pace: Pace?,
        on channel: Channel,
        key: String,
        _ work: Work
    ) async throws -> Int {
        let exchange = try await channel.declareExchange(options.place.exchange, passive: true)
        progress.giveSign()
        let body = [UInt8](repeating: 0x78, count: options.size)
        let headers = PerfHeaders(bytes: options.headers)
        let (stride, mode) = (options.stride, options.deliveryMode)
        let isPlain = pace == nil && options.headers == 0 && options.work == 0
        var pace = pace
        var done = 0
        while done < count {
            let next = done..<min(count, done + stride)
            if isPlain {
                // Only what an application does: to look for each message whether it has headers, and whether it is
                // due, costs 2 % each.
                for _ in next {
                    let message = Message(body: body, deliveryMode: mode)
                    try await exchange.publish(message, routingKey: key, mandatory: false)
                }
            } else {
                for number in next {
                    try await pace?.wait()
                    let message = Message(body: body, headers: headers.table(number), deliveryMode: mode)
                    try await exchange.publish(message, routingKey: key, mandatory: false)
                    work.run()
                }
            }
            done = next.upperBound
            progress.add(next.count)
            if let deadline, ContinuousClock.now >= deadline { break }
        }
        if confirms { try await channel.waitForConfirms() }
        // The broker answers when it has taken all that was sent before.
        try await channel.setQos(prefetchCount: 0)
        return done
    }
}
#endif
