internal import Glibc
internal import RabbitMQ
internal import Synchronization

/// Publishers and workers, one of each on every node, and what became of their messages.
final class PartitionRun: Sendable {
    private static let keys = 60
    /// Which node is killed: the one on which the worker is that has begun first, and so has all partitions.
    private static let killed = 1

    private let nodes: [ConnectionConfiguration]
    /// How many messages each key has in each half.
    private let share: Int
    /// How long half of the messages may take, on a slow machine too.
    private let patience: Duration
    /// What is there once the node is gone.
    private let file: String
    private let partitions: Partitions
    private let tally: Mutex<PartitionTally>
    /// How many keys are through with the first half.
    private let keysAtHalf = Atomic<Int>(0)
    private let isKilled = Atomic<Bool>(false)

    init(nodes: [ConnectionConfiguration], messages: Int, file: String) {
        self.nodes = nodes
        share = max(1, messages / 2 / Self.keys)
        patience = .seconds(120 + messages / 200)
        self.file = file
        // The publisher says where a key belongs, and the broker needs no plugin.
        partitions = Partitions("demo.orders", count: nodes.count * 3, hashing: .byPublisher)
        tally = Mutex(PartitionTally(keys: Self.keys, partitions: nodes.count * 3, workers: nodes.count))
    }

    /// - Returns: Whether all is as it has to be.
    func run() async throws -> Bool {
        let publishing = try await connect("publisher")
        let working = try await connect("worker")
        try await partitions.topology.apply(on: publishing[0])
        var options = Publisher.Options()
        options.timeout = .seconds(120)
        // Brokers say no to what they could not hand to a leader that is gone.
        options.nackedAgain = 1000
        let publisher = try await partitions.openPublisher(on: publishing, options)

        let first = work(Self.killed, on: working[Self.killed])
        try await waitUntil("the first worker has all partitions", within: .seconds(30)) {
            working[Self.killed].statistics.consumers == self.partitions.count
        }
        var workers = [first]
        for (index, connection) in working.enumerated() where index != Self.killed {
            workers.append(work(index, on: connection))
        }
        try await publishAll(publisher)
        // What is missing then is counted.
        try? await waitUntil("all is handled", within: patience) { self.tally.withLock { $0.missing } == 0 }
        for worker in workers { worker.cancel() }
        for worker in workers { await worker.value }
        await publisher.close()
        let isWell = report(publishing, working)
        for connection in publishing + working { await connection.close() }
        return isWell
    }

    /// A connection to each node, which goes on to the next node when that one is gone.
    private func connect(_ name: String) async throws -> [Connection] {
        var connections: [Connection] = []
        for index in nodes.indices {
            var configuration = nodes[index]
            configuration.endpoints = (nodes[index...] + nodes[..<index]).flatMap(\.endpoints)
            configuration.connectionName = "\(name) \(index)"
            configuration.recovery.maxDelay = .seconds(1)
            connections.append(try await Connection.connect(configuration))
        }
        return connections
    }

    // MARK: Publishing

    private func publishAll(_ publisher: PartitionedPublisher) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for key in 0..<Self.keys {
                group.addTask {
                    do {
                        try await self.publish(key, to: publisher)
                    } catch {
                        say("customer \(key): \(error)")
                        throw error
                    }
                }
            }
            try await waitUntil("the first half is published", within: patience) {
                self.keysAtHalf.load(ordering: .relaxed) == Self.keys
            }
            say("half")
            try await waitUntil("a node is killed", within: .seconds(120)) { access(self.file, F_OK) == 0 }
            isKilled.store(true, ordering: .relaxed)
            try await group.waitForAll()
        }
    }

    /// Publishes all messages of a key, each when the one before is confirmed: so they are in order, whatever happens.
    private func publish(_ key: Int, to publisher: PartitionedPublisher) async throws {
        var (number, last) = (0, share)
        var isSecondHalf = false
        while number < last {
            try await publisher.publish(Message("\(key) \(number)", deliveryMode: .persistent), key: "customer \(key)")
            number += 1
            let count = number
            tally.withLock { $0.confirmed[key] = count }
            guard number == last, !isSecondHalf else { continue }
            if number == share { keysAtHalf.add(1, ordering: .relaxed) }
            isSecondHalf = isKilled.load(ordering: .relaxed)
            last += isSecondHalf ? share : 1
            if !isSecondHalf { try await Task.sleep(for: .milliseconds(20)) }
        }
    }

    // MARK: Working

    private func work(_ worker: Int, on connection: Connection) -> Task<Void, Never> {
        Task {
            while !Task.isCancelled {
                do {
                    try await partitions.process(on: connection) { message, partition in
                        try await self.handle(message, partition: partition, worker: worker)
                    }
                } catch is CancellationError {
                    return
                } catch {
                    say("worker \(worker) begins again: \(error)")
                    try? await Task.sleep(for: .milliseconds(200))
                }
            }
        }
    }

    private func handle(_ message: IncomingMessage, partition: Int, worker: Int) async throws {
        // What a handler does takes a while.
        try await Task.sleep(for: .milliseconds(1))
        let numbers = try message.text().split(separator: " ").compactMap { Int($0) }
        guard numbers.count == 2, (0..<Self.keys).contains(numbers[0]) else { return }
        tally.withLock { $0.handle(numbers[0], numbers[1], partition: partition, worker: worker) }
    }

    // MARK: The account

    private func report(_ publishing: [Connection], _ working: [Connection]) -> Bool {
        let tally = tally.withLock { $0 }
        let confirmed = tally.confirmed.reduce(0, +)
        let lost = (publishing + working).count(where: { $0.statistics.losses > 0 })
        say("messages a partition: \(tally.partitions.map { "\($0)" }.joined(separator: " "))")
        say("messages a worker: \(tally.workers.map { "\($0)" }.joined(separator: " ")); \(tally.again) came once more")
        let checks: [(String, Bool)] = [
            ("confirmed \(confirmed), handled \(tally.handled), missing \(tally.missing)", tally.missing == 0),
            ("\(Self.keys) keys, \(tally.early) messages before one of the same key", tally.early == 0),
            ("\(tally.strays) keys in more than one partition", tally.strays == 0),
            ("\(lost) connections lost their node, and found another", lost > 0),
            ("another worker took over", tally.workers.count(where: { $0 > 0 }) > 1),
        ]
        for (text, isSo) in checks { say("\(isSo ? "ok    " : "NOT SO") \(text)") }
        return checks.allSatisfy { $0.1 }
    }
}

/// What did not come.
struct NotInTime: Error, CustomStringConvertible {
    let description: String
}

/// Waits until something is so.
private func waitUntil(_ what: String, within limit: Duration, until isSo: () -> Bool) async throws {
    let end = ContinuousClock.now + limit
    while !isSo() {
        guard ContinuousClock.now < end else { throw NotInTime(description: "not within \(limit): \(what)") }
        try await Task.sleep(for: .milliseconds(20))
    }
}
