import RabbitMQ
import Synchronization
import TestSupport
import Testing

@Suite("Partitions", .timeLimit(.minutes(2)))
struct PartitionTests {
    private func use<R>(_ partitions: Partitions, _ body: (Connection) async throws -> R) async throws -> R {
        try await TestBroker.withConnection { connection in
            try await partitions.topology.apply(on: connection)
            let result: Result<R, any Error>
            do {
                result = .success(try await body(connection))
            } catch {
                result = .failure(error)
            }
            try await connection.withChannel { channel in
                try await channel.exchange(partitions.name).delete(ifUnused: false)
                for queue in partitions.topology.queues {
                    try await channel.queue(queue.name).delete(ifUnused: false, ifEmpty: false)
                }
            }
            return try result.get()
        }
    }

    @Test(arguments: [false, true])
    func `keys are in order over several connections, with one worker for each partition; none is lost when it goes`(
        goes: Bool
    ) async throws {
        let partitions = Partitions(TestBroker.uniqueName("partitions"), count: 4, hashing: .byPublisher)
        try await use(partitions) { connection in
            let seen = Mutex<[String: [Int]]>([:])
            let partitionsOfKeys = Mutex<[String: Set<Int>]>([:])
            let work = { @Sendable (connection: Connection) async throws in
                try await partitions.process(on: connection, prefetchCount: 10) { message, partition in
                    let parts = try message.text().split(separator: " ")
                    let (key, number) = (String(parts[0]), Int(parts[1]) ?? -1)
                    partitionsOfKeys.withLock { _ = $0[key, default: []].insert(partition) }
                    seen.withLock { seen in
                        // What was on its way when a worker went comes again.
                        if seen[key]?.contains(number) != true { seen[key, default: []].append(number) }
                    }
                }
            }
            try await TestBroker.withConnection { second in
                let publisher = try await partitions.openPublisher(on: [connection, second])
                let first = Task { try await work(connection) }
                let other = Task { try await work(second) }
                for number in 0..<100 {
                    for key in 0..<20 { _ = try await publisher.send(Message("key\(key) \(number)"), key: "key\(key)") }
                    if goes, number == 50 { first.cancel() }
                }
                #expect(await publisher.close())
                try await eventually("all came", within: .seconds(30)) {
                    seen.withLock { $0.values.reduce(0) { $0 + $1.count } } == 2000
                }
                first.cancel()
                await #expect(throws: CancellationError.self) { try await first.value }
                other.cancel()
                await #expect(throws: CancellationError.self) { try await other.value }
            }
            // The broker gives the next worker what comes before the one that goes has given back what it had.
            for (key, numbers) in seen.withLock({ $0 }) {
                #expect((goes ? numbers.sorted() : numbers) == Array(0..<100), "\(key)")
            }
            let places = partitionsOfKeys.withLock { $0 }
            for (key, found) in places { #expect(found == [partitions.partition(of: key)]) }
            #expect(places.count == 20)
        }
    }

    /// Whether the broker has the plugin: asked on a connection of its own, which an older broker closes over it.
    private func hashesByItself() async throws -> Bool {
        let name = TestBroker.uniqueName("exchange")
        do {
            try await TestBroker.withChannel { _, channel in
                try await channel.declareExchange(name, type: .consistentHash).delete(ifUnused: false)
            }
            return true
        } catch let error as AMQPError where error.code == .connectionClosed || error.code == .preconditionFailed {
            return false
        }
    }

    @Test func `where the broker hashes, the messages of a key are in one partition too, and in order`() async throws {
        guard try await hashesByItself() else { return }
        let partitions = Partitions(TestBroker.uniqueName("partitions"), count: 4)
        #expect(partitions.hashing == .byBroker)
        try await use(partitions) { connection in
            let seen = Mutex<[String: [Int]]>([:])
            let places = Mutex<[String: Set<Int>]>([:])
            let publisher = try await partitions.openPublisher(on: [connection])
            let work = Task {
                try await partitions.process(on: connection) { message, partition in
                    let parts = try message.text().split(separator: " ")
                    let (key, number) = (String(parts[0]), Int(parts[1]) ?? -1)
                    places.withLock { _ = $0[key, default: []].insert(partition) }
                    seen.withLock { $0[key, default: []].append(number) }
                }
            }
            defer { work.cancel() }
            for number in 0..<10 {
                for key in 0..<20 { _ = try await publisher.send(Message("key\(key) \(number)"), key: "key\(key)") }
            }
            let isDrained = await publisher.close()
            #expect(isDrained)
            try await eventually("all came") { seen.withLock { $0.values.reduce(0) { $0 + $1.count } } == 200 }
            work.cancel()
            await #expect(throws: CancellationError.self) { try await work.value }
            for (key, numbers) in seen.withLock({ $0 }) { #expect(numbers == Array(0..<10), "\(key)") }
            let found = places.withLock { $0 }
            #expect(found.count == 20 && found.values.allSatisfy { $0.count == 1 })
            // All of 20 keys in one of four partitions is no hashing.
            #expect(Set(found.values.flatMap { $0 }).count > 1)
        }
    }

    @Test func `when the queue of one is deleted, all end together, with that as the reason`() async throws {
        let partitions = Partitions(
            TestBroker.uniqueName("partitions"),
            count: 3,
            hashing: .byPublisher,
            arguments: QueueArguments(type: .classic)
        )
        try await use(partitions) { connection in
            let seen = Collected<Int>()
            let stopped = Collected<Int>()
            let work = Task {
                try await partitions.process(on: connection) { _, partition in
                    seen.add(partition)
                    // One has its hands full when it ends.
                    guard partition == 2 else { return }
                    do {
                        try await Task.sleep(for: .seconds(600))
                    } catch {
                        stopped.add(partition)
                        throw error
                    }
                }
            }
            defer { work.cancel() }
            try await connection.withChannel { channel in
                for partition in 0..<3 {
                    try await channel.defaultExchange.publish(
                        Message("x"),
                        routingKey: partitions.queueName(partition)
                    )
                }
                try await eventually("each is consumed") { Set(seen.all).count == 3 }
                try await channel.queue(partitions.queueName(1)).delete(ifUnused: false, ifEmpty: false)
            }
            let error = try await thrownError(within: .seconds(30)) { try await work.value }
            #expect(error.code == .consumerCancelled)
            #expect(stopped.all == [2])
        }
    }
}
