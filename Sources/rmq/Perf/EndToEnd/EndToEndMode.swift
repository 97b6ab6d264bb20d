#if Tool
internal import RabbitMQ

/// Publishes and consumes at a time, and measures how long each message is under way.
struct EndToEndMode {
    let options: PerfOptions
    let progress: Progress

    /// A stream gives each message to each consumer.
    private var copies: Int { options.place.queueType == .stream ? options.consumers : 1 }

    func run() async throws -> PerfResult {
        // Brokers hold back connections that publish too much, and with them what is acknowledged there.
        try await PerfSession.use(
            options,
            progress,
            connections: 2 * options.connections,
            channels: 1,
            consumesEverywhere: true
        ) { try await run($0) }
    }

    private func run(_ session: PerfSession) async throws -> PerfResult {
        let (name, count) = (session.queue.queue.name, options.connections)
        let tally = Tally(consumers: options.consumers)
        var producers: [LoadProducer] = []
        for index in 0..<options.load.producers {
            let channel = try await session.connections[index % count].openChannel()
            try await channel.selectConfirms(maxUnconfirmed: options.window)
            producers.append(
                LoadProducer(
                    index: index,
                    channel: channel,
                    key: name,
                    options: options,
                    tally: tally,
                    progress: progress
                )
            )
            progress.giveSign()
        }
        let ready = producers
        return try await withThrowingTaskGroup(of: PerfResult?.self) { group in
            for index in 0..<options.consumers {
                let deliveries = try await consume(name, on: session.connections[count + index % count])
                group.addTask {
                    try await receive(deliveries, tally, tally.latencies[index])
                    return nil
                }
            }
            group.addTask { try await measure(ready, tally) }
            while let end = try await group.next() {
                // Consumers end only when they are cancelled, or by an error.
                guard let result = end else { continue }
                group.cancelAll()
                return result
            }
            throw CancellationError()
        }
    }

    private func consume(_ name: String, on connection: Connection) async throws -> Deliveries {
        let channel = try await connection.openChannel()
        try await channel.setQos(prefetchCount: options.prefetch)
        var consumption = ConsumerOptions()
        if options.place.queueType == .stream { consumption.streamOffset = options.place.useExisting ? .next : .first }
        let deliveries = try await channel.queue(name).consume(consumption)
        progress.giveSign()
        return deliveries
    }

    private func receive(_ deliveries: Deliveries, _ tally: Tally, _ log: LatencyLog) async throws {
        for try await message in deliveries {
            let now = tally.now
            try message.ack()
            progress.add(1)
            guard let stamp = message.messageID else { continue }
            if stamp == tally.stamp.warmUp {
                tally.countWarmUp()
            } else if let sent = tally.stamp.time(stamp) {
                tally.countReceived(sent: sent, at: now, in: log)
            }
        }
    }

    private func measure(_ producers: [LoadProducer], _ tally: Tally) async throws -> PerfResult {
        let warmUps = min(options.warmup, 1000)
        try await publish(producers) { try await $0.warmUp(warmUps) }
        try await wait { tally.warmUps >= warmUps * copies }

        let (meter, start, begin) = (Meter(), ContinuousClock.now, tally.now)
        let sampler = LoadSampler(
            tally: tally,
            copies: copies,
            start: start,
            isShown: !options.json && LiveLine.isPossible
        )
        let sampling = Task { await sampler.run() }
        defer { sampling.cancel() }
        let (total, limit) = (options.messages, options.loadSeconds)
        let pace = LoadPace(ramp: options.pace, start: start, end: limit.map { start + .seconds($0) })
        try await publish(producers) { try await $0.run(total, by: pace) }
        let publishing = meter.read()
        // Where the time is over, what consumers are behind may be more than they could take in as long again.
        let patience = limit.map { _ in ContinuousClock.now + .seconds(1) }
        try await wait {
            if let patience, patience <= ContinuousClock.now { return true }
            return tally.received >= tally.published * copies
        }
        let whole = meter.read()
        let untilLast = (Double(tally.lastArrival) - Double(begin)) / 1e9
        sampling.cancel()
        let findings = await sampling.value

        return PerfResult(
            usage: Usage(
                seconds: max(publishing.seconds, untilLast),
                cpuSeconds: whole.cpuSeconds,
                process: whole.process
            ),
            messages: findings.received,
            latencies: findings.latencies,
            size: Int(options.sizeMix.mean.rounded()),
            load: LoadReport(
                producers: options.load.producers,
                consumers: options.consumers,
                queueType: options.place.queueType.rawValue,
                published: findings.published,
                publishRate: Double(findings.published) / publishing.seconds,
                mostWaiting: findings.mostWaiting,
                points: findings.timeline.points
            )
        )
    }

    private func publish(
        _ producers: [LoadProducer],
        _ body: @escaping @Sendable (LoadProducer) async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for producer in producers { group.addTask { try await body(producer) } }
            try await group.waitForAll()
        }
    }

    /// If that never comes true, the run hangs, which is noticed.
    private func wait(until condition: () -> Bool) async throws {
        while !condition() { try await Task.sleep(for: .milliseconds(2)) }
    }
}

/// What a run with producers and consumers has beside what all runs have.
struct LoadReport: Encodable, Sendable {
    let producers: Int
    let consumers: Int
    let queueType: String
    let published: Int
    /// A second, while they were publishing.
    let publishRate: Double
    /// The most messages that were published and not received.
    let mostWaiting: Int
    let points: [Timeline.Point]

    var rows: [(String, String)] {
        [
            ("producers", "\(producers)"), ("consumers", "\(consumers)"), ("queue", queueType),
            ("published", "\(published)"), ("rate of publishing", "\(Int(publishRate)) msg/s"),
            ("most waiting", "\(mostWaiting)"),
        ]
    }
}
#endif
