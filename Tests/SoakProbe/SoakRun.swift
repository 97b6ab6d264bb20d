internal import Foundation
internal import Glibc
internal import Logging
internal import RabbitMQ
internal import TestSupport

/// All lanes, the faults, and a line a minute.
struct SoakRun: Sendable {
    private let options: SoakOptions
    private let journal = SoakJournal()
    private let lanes: [SoakLane]
    private let configuration: ConnectionConfiguration
    private let proxy: FaultProxy

    init(_ options: SoakOptions) throws {
        self.options = options
        var configuration = try TestBroker.configuration
        proxy = try FaultProxy(target: configuration.port)
        configuration.endpoints = [.init(host: "127.0.0.1", port: proxy.port)]
        configuration.recovery = RecoveryPolicy()
        configuration.recovery.unconfirmed = .resend
        configuration.recovery.retriesFirstConnect = true
        configuration.recovery.maxDelay = .seconds(2)
        configuration.heartbeat = .seconds(3)
        configuration.callTimeout = .seconds(60)
        configuration.publishTimeout = .seconds(60)
        configuration.logger = Logger(label: "soak") { _ in SwiftLogNoOpLogHandler() }
        self.configuration = configuration
        let most = options.minutes * 60 * options.rate + 1
        lanes = [("classic", nil), ("quorum", .quorum), ("stream", .stream)].map {
            SoakLane(name: $0, type: $1, rate: options.rate, tally: SoakTally(most: most))
        }
    }

    /// - Returns: Whether nothing was lost, and nothing hung.
    func run() async throws -> Bool {
        say(
            "seed \(options.seed), \(options.minutes) minutes, a fault every \(options.pause) s, TLS: \(TestBroker.usesTLS)"
        )
        let end = ContinuousClock.now + .seconds(options.minutes * 60)
        let (publishing, consuming) = (try await connect("publishers"), try await connect("consumers"))
        for lane in lanes { try await lane.declare(on: publishing) }
        let descriptors = try ProcessMeasure.openDescriptors
        let work = Task {
            await withDiscardingTaskGroup { group in
                for lane in lanes {
                    group.addTask { await lane.publish(on: publishing, until: end, journal) }
                    group.addTask { await lane.consume(on: consuming, journal) }
                }
                group.addTask { await SoakCalls(configuration: configuration, journal: journal).run(until: end) }
                group.addTask { await churnChannels(on: publishing, until: end) }
                group.addTask { await churnConnections(until: end) }
                group.addTask { await makeFaults(until: end) }
            }
        }
        let start = ContinuousClock.now
        var trend = SoakTrend()
        var progress = SoakProgress()
        for minute in 1...options.minutes {
            try await Task.sleep(until: start + .seconds(60 * minute), clock: .continuous)
            for stalled in progress.stalled(at: counts) { journal.count("hang: no \(stalled) in a minute") }
            let memory = try ProcessMeasure.residentMemory
            trend.add(bytes: memory, at: minute)
            try report("minute \(minute)", trend)
        }
        let isDrained = await drain()
        work.cancel()
        for connection in [publishing, consuming] {
            await watch("close", .seconds(60)) { await connection.close() }
        }
        await watch("the end of all tasks", .seconds(60)) { await work.value }
        try await deleteQueues()
        let left = try await descriptorsLeft(atMost: descriptors)
        try report("end", trend)
        for line in journal.all("error") + journal.all("hang") { say("  \(line)") }
        proxy.stop()
        return isWell([
            (isDrained && total.missing == 0, "lost \(total.missing)"),
            (journal.all("hang").isEmpty, "hangs \(journal.all("hang").count)"),
            (left <= descriptors, "descriptors \(left) at the end, \(descriptors) at the beginning"),
            (!trend.isTooSteep, trend.description),
        ])
    }

    /// Prints what came of it, and whether that is as it has to be.
    private func isWell(_ verdicts: [(holds: Bool, what: String)]) -> Bool {
        let holds = verdicts.allSatisfy(\.holds)
        let figures = verdicts.map { $0.holds ? $0.what : "\($0.what) (!)" }.joined(separator: ", ")
        say((holds ? "passed: " : "FAILED: ") + figures)
        return holds
    }

    private var total: SoakTally.Counts { lanes.map(\.tally.counts).reduce(SoakTally.Counts(), +) }

    /// What has to go on from minute to minute: a run in which nothing happens loses nothing either.
    private var counts: [String: Int] {
        var counts: [String: Int] = [:]
        for lane in lanes {
            let tally = lane.tally.counts
            counts["confirms of \(lane.name)"] = tally.confirmed
            counts["deliveries of \(lane.name)"] = tally.delivered
        }
        for what in ["calls", "channels", "connections"] { counts[what] = journal.number(what) }
        return counts
    }

    /// How many are open when everything is closed. They are closed a moment after the connections.
    private func descriptorsLeft(atMost most: Int) async throws -> Int {
        try? await eventually("descriptors are closed") { try ProcessMeasure.openDescriptors <= most }
        return try ProcessMeasure.openDescriptors
    }

    private func connect(_ name: String) async throws -> Connection {
        var configuration = configuration
        configuration.connectionName = "soak \(name)"
        return try await Connection.connect(configuration)
    }

    /// Waits until all that was confirmed has been delivered.
    private func drain() async -> Bool {
        do {
            try await eventually("all is delivered", within: .seconds(120)) {
                let total = total
                return total.missing == 0 && total.confirmed + total.failed == total.sent
            }
            return true
        } catch {
            return false
        }
    }

    private func report(_ when: String, _ trend: SoakTrend) throws {
        let total = total
        let megabytes = String(format: "%.1f", Double(try ProcessMeasure.residentMemory) / 1_048_576)
        let heap = ProcessMeasure.allocatedMemory.map { String(format: " heap %.1f MB", Double($0) / 1_048_576) } ?? ""
        let slope = trend.slope.map { String(format: " slope %.3f MB/min", $0) } ?? ""
        say(
            "\(when): sent \(total.sent) confirmed \(total.confirmed) failed \(total.failed) delivered \(total.delivered)"
                + " undelivered \(total.missing) doubled \(total.doubled)"
                + " | calls \(journal.number("calls")) channels \(journal.number("channels"))"
                + " connections \(journal.number("connections")) faults \(journal.number("faults"))"
                + " hangs \(journal.all("hang").count)"
                + " | rss \(megabytes) MB\(slope)\(heap) fds \(try ProcessMeasure.openDescriptors)"
                + " threads \(try ProcessMeasure.threads)"
        )
    }

    private func deleteQueues() async throws {
        try await TestBroker.withChannel { _, channel in
            for lane in lanes { _ = try await channel.queue(lane.queueName).delete(ifUnused: false, ifEmpty: false) }
        }
    }

    private func watch(_ what: String, _ limit: Duration, _ body: @escaping @Sendable () async throws -> Void) async {
        await journal.watch(what, limit, body)
    }

    // MARK: What goes on beside

    private func churnChannels(on connection: Connection, until end: ContinuousClock.Instant) async {
        while ContinuousClock.now < end, !Task.isCancelled {
            await watch("a channel's life", .seconds(200)) {
                // Closed also when it fails: the connection would open it again after each loss, with its queue.
                try await connection.withChannel { channel in
                    let queue = try await channel.declareQueue(exclusive: true)
                    do {
                        try await queue.publish(Message("x"))
                        _ = try await queue.get(noAck: true)
                        _ = try await queue.delete(ifUnused: false, ifEmpty: false)
                    } catch {
                        // The connection may have declared it again meanwhile: it would be there as long as that lives.
                        _ = try? await queue.delete(ifUnused: false, ifEmpty: false)
                        throw error
                    }
                }
                journal.count("channels")
            }
            try? await Task.sleep(for: .milliseconds(200))
        }
    }

    private func churnConnections(until end: ContinuousClock.Instant) async {
        while ContinuousClock.now < end, !Task.isCancelled {
            await watch("a connection's life", .seconds(200)) {
                var configuration = configuration
                configuration.recovery = .none
                try await Connection.withConnection(configuration) { connection in
                    _ = try await connection.openChannel()
                }
                journal.count("connections")
            }
            try? await Task.sleep(for: .milliseconds(300))
        }
    }

    private func makeFaults(until end: ContinuousClock.Instant) async {
        var random = SplitMix(seed: options.seed)
        // The last fault leaves time to see what came of it.
        while ContinuousClock.now + .seconds(2 * options.pause) < end {
            try? await Task.sleep(for: .seconds(options.pause))
            if Task.isCancelled { return }
            let kind = random.number(0...7)
            var isMade = true
            switch kind {
            case 0...1: proxy.end(.reset)
            case 2: proxy.end(.close)
            case 3: proxy.end(.freeze, frozen: random.pick(FaultProxy.Direction.allCases))
            case 4:
                var plan = FaultProxy.Plan()
                plan.delay = .milliseconds(20)
                proxy.follow(plan)
                proxy.end(.reset)
            case 5:
                // Those that come next get as far as that.
                proxy.follow(FaultProxy.Plan(bytes: random.number(0...4000), .reset))
                proxy.end(.reset)
                try? await Task.sleep(for: .seconds(1))
            case 6:
                isMade = (try? await Subprocess.rabbitmqctl("close_all_connections", "soak")) != nil
                if !isMade { journal.count("error fault: rabbitmqctl") }
            default:
                var plan = FaultProxy.Plan()
                plan.piece = 48
                proxy.follow(plan)
                proxy.end(.close)
            }
            if isMade { journal.count("faults") }
            if kind != 4, kind != 7 { proxy.follow(FaultProxy.Plan()) }
        }
        proxy.follow(FaultProxy.Plan())
        proxy.end(.close)
    }
}

extension SoakJournal {
    /// Awaits something that throws or ends within a limit.
    func watch(_ what: String, _ limit: Duration, _ body: @escaping @Sendable () async throws -> Void) async {
        do {
            try await within(limit, what, body)
        } catch is ConditionTimeout {
            if !Task.isCancelled { count("hang: \(what)") }
        } catch let error as AMQPError {
            count("error \(what): \(error.code)")
        } catch {
            count("error \(what): \(type(of: error))")
        }
    }
}

/// Prints a line at once.
private func say(_ line: String) {
    print(line)
    fflush(nil)
}
