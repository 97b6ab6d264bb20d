import Foundation
import Glibc
import RabbitMQ
import TestSupport
import Testing

@Suite("applications that ask much", .timeLimit(.minutes(FaultBattery.callerMinutes + 2)))
struct CallerTests {
    private enum Deed: CaseIterable {
        case publish, publishConfirmed, get, consume, declare, setQos, bind, waitForConfirms
    }

    private static func act(_ deed: Deed, on channel: Channel, _ queue: RabbitMQ.Queue) async throws {
        switch deed {
        case .publish: try await queue.publish(Message(body: [1]))
        case .publishConfirmed: try await queue.publishConfirmed(Message(body: [2]))
        case .get: try await queue.get(noAck: false)?.ack()
        case .consume: try await queue.consume { try $0.ack() }.cancel()
        case .declare: _ = try await channel.declareQueue(queue.name, passive: true)
        case .setQos: try await channel.setQos(prefetchCount: 10)
        case .bind: try await queue.bind(to: channel.fanoutExchange, routingKey: "").unbind()
        case .waitForConfirms: try await channel.waitForConfirms()
        }
    }

    /// What tasks have done, whatever became of it.
    private struct Round {
        var deeds = 0
        var cancelled = 0
        var errors: [any Error] = []

        mutating func add(_ other: Round) {
            deeds += other.deeds
            cancelled += other.cancelled
            errors += other.errors
        }
    }

    /// A few deeds at random, by a task that may be cancelled amid them.
    private static func actAtRandom(
        _ random: inout SplitMix,
        on channel: Channel,
        _ queue: RabbitMQ.Queue
    ) async -> Round {
        let deeds = (0..<4).map { _ in random.pick(Deed.allCases) }
        let task = Task {
            for deed in deeds { try await Self.act(deed, on: channel, queue) }
        }
        if random.chance(0.35) {
            for _ in 0..<random.number(0...200) { await Task.yield() }
            task.cancel()
        }
        var round = Round(deeds: deeds.count)
        do {
            try await task.value
        } catch is CancellationError {
            round.cancelled = 1
        } catch {
            round.errors = [error]
        }
        return round
    }

    @Test func `a thousand tasks do everything on one channel, a third of them cancelled, and it goes on`() async throws
    {
        let start = ContinuousClock.now
        let time = Duration.seconds(60 * FaultBattery.callerMinutes)
        try await TestBroker.withChannel { connection, channel in
            try await channel.selectConfirms(maxUnconfirmed: 100)
            let queue = try await channel.declareQueue(exclusive: true)
            let all = try await within(time + .seconds(90), "the end of all tasks") {
                await withTaskGroup(of: Round.self) { group in
                    for number in 0..<1000 {
                        group.addTask {
                            var random = SplitMix(seed: UInt64(number))
                            var all = Round()
                            repeat {
                                all.add(await Self.actAtRandom(&random, on: channel, queue))
                            } while ContinuousClock.now < start + time && all.errors.isEmpty
                            return all
                        }
                    }
                    return await group.reduce(into: Round()) { $0.add($1) }
                }
            }
            #expect(all.deeds >= 4000)
            #expect(all.cancelled > 0, "nothing was cancelled in the middle")
            #expect(all.errors.isEmpty, "\(all.errors.count): \(all.errors.prefix(10))")
            // The channel is in step: each answer belongs to its call.
            try await channel.waitForConfirms()
            #expect(channel.unconfirmedCount == 0 && channel.isOpen && connection.isOpen)
            func declared() async throws -> RabbitMQ.Queue {
                try await channel.declareQueue(queue.name, passive: true)
            }
            try await eventually("the consumers have gone") { try await declared().consumerCount == 0 }
            // What they have not seen comes back behind that.
            try await eventually("nothing comes back any more") {
                _ = try await queue.purge()
                return try await declared().messageCount == 0
            }
            try await queue.publishConfirmed(Message("last"))
            #expect(try await queue.get(noAck: true)?.text() == "last")
            if FaultBattery.callerMinutes > 0 {
                let seconds = Int((ContinuousClock.now - start) / .seconds(1))
                print(
                    "callers: 1000 tasks, \(all.deeds) deeds in \(seconds) s,"
                        + " \(all.cancelled) times cancelled, \(all.errors.count) errors"
                )
            }
        }
    }

    /// What a callback does amid its message.
    enum Inside: CaseIterable, Sendable {
        case usesAll, cancelsItself, closesChannel, closesConnection, shutsDown
    }

    @Test(arguments: Inside.allCases)
    func `a callback may use what calls it, and end it`(inside: Inside) async throws {
        try await TestBroker.withConnection { connection in
            let channel = try await connection.openChannel()
            try await channel.selectConfirms()
            let queue = try await channel.declareQueue(exclusive: true)
            let (own, returned) = (Collected<Consumer>(), Collected<Bool>())
            let consumer = try await queue.consume { message in
                try message.ack()
                // What it publishes comes to it as well.
                guard returned.count == 0 else { return }
                try await eventually("it knows its consumer") { own.count == 1 }
                switch inside {
                case .usesAll: for deed in Deed.allCases { try await Self.act(deed, on: channel, queue) }
                case .cancelsItself: for one in own.all { try await one.cancel() }
                case .closesChannel: await channel.close()
                case .closesConnection: await connection.close()
                case .shutsDown: await connection.shutdown(within: .seconds(10))
                }
                returned.add(true)
            }
            own.add(consumer)
            try await queue.publish(Message("x"))
            try await eventually("the callback returns") { returned.count == 1 }
            if inside == .usesAll { try await consumer.cancel() }
            _ = try await within(.seconds(10), "the consumer's end") { try await consumer.ended }
            #expect(channel.isOpen == (inside == .usesAll || inside == .cancelsItself))
        }
    }

    /// In a process of its own: all threads that tasks have are taken.
    @Test func `handlers that block all threads for longer than heartbeats allow cost no connection and no message`()
        async
    {
        await #expect(processExitsWith: .success) {
            await recordingErrors {
                var configuration = try TestBroker.configuration
                configuration.heartbeat = .seconds(1)
                try await Connection.withConnection(configuration) { connection in
                    let channel = try await connection.openChannel()
                    let queue = try await channel.declareQueue(exclusive: true)
                    let count = 2 * ProcessInfo.processInfo.activeProcessorCount
                    for _ in 0..<count { try await queue.publish(Message(body: [1])) }
                    let handled = Collected<Bool>()
                    try await queue.consume(maxConcurrency: count) { message in
                        blockThread()
                        try message.ack()
                        handled.add(message.redelivered)
                    }
                    try await eventually("all are handled", within: .seconds(60)) { handled.count == count }
                    guard connection.isOpen, channel.isOpen, !handled.all.contains(true) else {
                        throw ConditionFailed(description: "\(connection.health.lastError as Any), \(handled.all)")
                    }
                }
            }
        }
    }

    @Test func `a process of 64 descriptors and small stacks publishes, waits for confirms and consumes`()
        async throws
    {
        let output = try await Subprocess.limited("ulimit -n 64; ulimit -s 1024", "CallProbe", try TestBroker.uri)
        #expect(output.split(separator: "\n").count == 3, "\(output)")
    }

    @Test func `a process of 64 descriptors and small stacks meets brokers that break the protocol`() async throws {
        let output = try await Subprocess.limited(
            "ulimit -n 64; ulimit -s 1024",
            "SessionFuzzer",
            "--sessions",
            "200",
            "--workers",
            "4",
            "--seed",
            "64"
        )
        #expect(output.contains("failures: 0"), "\(output)")
    }
}

/// What handlers should not do, and do: for four seconds nobody else has the thread.
private func blockThread() { usleep(4_000_000) }
