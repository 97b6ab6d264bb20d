internal import RabbitMQ
internal import Synchronization

/// Publishers that wait for confirms, and consumers that acknowledge, on a connection each.
///
/// Lines of the record, with times in microseconds: `c NUMBER PUBLISHED CONFIRMED`, `e NUMBER PUBLISHED FAILED WHY`,
/// `d NUMBER DELIVERED REDELIVERED`, `v TIME CONNECTION EVENT...` of the connection, `h TIME WHAT SECONDS` of an await
/// that hangs.
struct Traffic: Sendable {
    private struct Seen {
        var confirmed: [Bool]
        var delivered: [Bool]
        /// How many were confirmed and delivered; were confirmed or have failed; have failed.
        var both = 0
        var settled = 0
        var failed = 0
    }

    private final class Progress: Sendable {
        let seen: Mutex<Seen>

        init(_ count: Int) {
            let none = [Bool](repeating: false, count: count)
            seen = Mutex(Seen(confirmed: none, delivered: none))
        }

        func confirm(_ number: Int) {
            seen.withLock { seen in
                seen.settled += 1
                seen.confirmed[number] = true
                if seen.delivered[number] { seen.both += 1 }
            }
        }

        func deliver(_ number: Int) {
            seen.withLock { seen in
                guard !seen.delivered[number] else { return }
                seen.delivered[number] = true
                if seen.confirmed[number] { seen.both += 1 }
            }
        }

        func fail() {
            seen.withLock {
                $0.settled += 1
                $0.failed += 1
            }
        }

        var counts: (both: Int, settled: Int, failed: Int) { seen.withLock { ($0.both, $0.settled, $0.failed) } }
    }

    private let configuration: ConnectionConfiguration
    private let queueName: String
    private let count: Int
    private let rate: Int
    private let publishers: Int
    private let consumers: Int
    private let window: Int
    private let prefetch: Int
    private let record: Record
    private let progress: Progress

    init(_ options: Options) throws {
        configuration = try options.configuration
        queueName = options.text("queue", "chaos")
        count = options.number("messages", 1000)
        rate = options.number("rate", 0)
        publishers = options.number("publishers", 4)
        consumers = options.number("consumers", 2)
        window = options.number("window", 1000)
        prefetch = options.number("prefetch", 100)
        record = Record(options.text("record", "/dev/stdout"))
        progress = Progress(count)
    }

    func run() async throws {
        let writing = Task { await record.writeForEver() }
        var configuration = configuration
        configuration.connectionName = "consumers"
        let consuming = try await Connection.connect(configuration)
        configuration.connectionName = "publishers"
        let publishing = try await Connection.connect(configuration)
        let listening = [("consumers", consuming), ("publishers", publishing)].map { name, connection in
            let events = connection.events
            return Task { for await event in events { note(event, of: name) } }
        }
        var consumerTasks: [Task<Void, any Error>] = []
        for _ in 0..<consumers { consumerTasks.append(try await startConsumer(on: consuming)) }
        say("ready")
        try await withThrowingDiscardingTaskGroup { group in
            let start = ContinuousClock.now
            for publisher in 0..<publishers {
                group.addTask { try await publish(publisher, start, on: publishing) }
            }
        }
        try await waitForRest()
        await consuming.close()
        await publishing.close()
        for task in consumerTasks { _ = await task.result }
        for task in listening { task.cancel() }
        writing.cancel()
        await writing.value
        say("done")
    }

    // MARK: The application

    private func startConsumer(on connection: Connection) async throws -> Task<Void, any Error> {
        let channel = try await connection.openChannel()
        try await channel.setQos(prefetchCount: UInt16(prefetch))
        let messages = try await channel.declareQueue(queueName).consume()
        return Task {
            do {
                for try await message in messages {
                    let number = Self.number(message.body)
                    record.add("d \(number) \(microseconds) \(message.redelivered ? 1 : 0)")
                    progress.deliver(number)
                    try message.ack()
                }
            } catch AMQPError.Code.connectionClosed {
                // The application has closed it.
            } catch {
                record.add("e -1 0 \(microseconds) consumer: \(error)")
                throw error
            }
        }
    }

    private func publish(_ publisher: Int, _ start: ContinuousClock.Instant, on connection: Connection) async throws {
        let channel = try await connection.openChannel()
        try await channel.selectConfirms(maxUnconfirmed: window)
        let queue = try await channel.declareQueue(queueName)
        await withDiscardingTaskGroup { confirms in
            for number in stride(from: publisher, to: count, by: publishers) {
                await waitForTurn(number, start)
                let published = microseconds
                do {
                    let message = Message(body: Self.body(number), deliveryMode: .persistent)
                    let receipt = try await record.watch("publish", configuration.publishTimeout) {
                        try await queue.publish(message)
                    }
                    confirms.addTask { await confirm(receipt, number, published) }
                } catch {
                    fail(number, published, error)
                }
            }
        }
    }

    private func confirm(_ receipt: PublishReceipt, _ number: Int, _ published: Int) async {
        do {
            try await record.watch("confirm", .seconds(60)) { try await receipt.confirmed(timeout: .seconds(60)) }
            record.add("c \(number) \(published) \(microseconds)")
            progress.confirm(number)
        } catch {
            fail(number, published, error)
        }
    }

    // MARK: What is around it

    private func fail(_ number: Int, _ published: Int, _ error: any Error) {
        record.add("e \(number) \(published) \(microseconds) \(error)")
        progress.fail()
    }

    private func waitForTurn(_ number: Int, _ start: ContinuousClock.Instant) async {
        guard rate > 0 else { return }
        let due = start + .nanoseconds(number * 1_000_000_000 / rate)
        if due > .now { try? await Task.sleep(until: due, tolerance: .zero, clock: .continuous) }
    }

    /// Until what was confirmed was delivered, or a minute has brought nothing new; then a moment for what comes twice.
    private func waitForRest() async throws {
        var last = -1
        var quiet = ContinuousClock.now
        while quiet.duration(to: .now) < .seconds(60) {
            let (both, settled, failed) = progress.counts
            if both != last { (last, quiet) = (both, .now) }
            if settled == count && both == count - failed { break }
            try await Task.sleep(for: .milliseconds(20))
        }
        try await Task.sleep(for: .seconds(1))
    }

    private func note(_ event: ConnectionEvent, of name: String) {
        let text =
            switch event {
            case .lost(let error): "lost \(error.message)"
            case .trying(let attempt, let delay): "trying \(attempt) \(delay.inSeconds)"
            case .recovered(let report, let duration):
                "recovered \(report.resent) \(duration.inSeconds) \(report.channels) \(report.consumers)"
            case .gaveUp(let error): "gaveUp \(error.message)"
            case .blocked(let reason): "blocked \(reason)"
            case .unblocked: "unblocked"
            }
        record.add("v \(microseconds) \(name) \(text.replacing("\n", with: " "))")
    }

    private static func body(_ number: Int) -> [UInt8] {
        var body = [UInt8](repeating: 120, count: 100)
        var rest = number
        for index in stride(from: 9, through: 0, by: -1) {
            body[index] = UInt8(48 + rest % 10)
            rest /= 10
        }
        return body
    }

    private static func number(_ body: [UInt8]) -> Int { body.prefix(10).reduce(0) { $0 * 10 + Int($1) - 48 } }
}
