internal import RabbitMQ
internal import Synchronization

/// Many connections that lose their broker together: how often they try, and what that costs.
///
/// Says `ready` when the broker is to be stopped, and a line of JSON when all connections are there again.
struct OutageRun {
    private struct Seen {
        /// Seconds, from the first loss on.
        var tries: [Double] = []
        var recoveries: [Double] = []
        var start: ContinuousClock.Instant?
    }

    private final class Journal: Sendable {
        let seen = Mutex(Seen())

        func note(_ event: ConnectionEvent) {
            let now = ContinuousClock.now
            seen.withLock { seen in
                let start = seen.start ?? now
                seen.start = start
                switch event {
                case .trying(_, let delay): seen.tries.append((now - start + delay).inSeconds)
                case .recovered: seen.recoveries.append((now - start).inSeconds)
                default: break
                }
            }
        }
    }

    private let configuration: ConnectionConfiguration
    private let count: Int

    init(_ options: Options) throws {
        configuration = try options.configuration
        count = options.number("connections", 500)
    }

    func run() async throws {
        let journal = Journal()
        let connections = try await withThrowingTaskGroup { group in
            for _ in 0..<count {
                group.addTask {
                    let connection = try await Connection.connect(configuration)
                    let channel = try await connection.openChannel()
                    return (connection, channel)
                }
                // Not more at once than the broker's backlog takes.
                if group.isEmpty == false { try await Task.sleep(for: .milliseconds(2)) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let listening = connections.map { connection, _ in
            let events = connection.events
            return Task { for await event in events { journal.note(event) } }
        }
        say("ready")
        while journal.seen.withLock({ $0.start == nil }) { try await Task.sleep(for: .milliseconds(5)) }
        // CPU time of each second.
        var cpu: [Double] = []
        var before = processSeconds
        let start = ContinuousClock.now
        while journal.seen.withLock({ $0.recoveries.count }) < count, cpu.count < 300 {
            try await Task.sleep(until: start + .seconds(cpu.count + 1), clock: .continuous)
            cpu.append(processSeconds - before)
            before = processSeconds
        }
        let (tries, recoveries) = journal.seen.withLock { ($0.tries.sorted(), $0.recoveries.sorted()) }
        for (connection, _) in connections { await connection.close() }
        for task in listening { task.cancel() }
        say(
            #"{"connections": \#(count), "cpu_s": \#(cpu), "tries_s": \#(tries), "recoveries_s": \#(recoveries)}"#
        )
    }
}
