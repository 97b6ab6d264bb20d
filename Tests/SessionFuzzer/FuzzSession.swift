internal import Foundation
internal import Glibc
internal import RabbitMQ
internal import Synchronization
internal import TestSupport

/// One session: a client that does this and that, and a peer that does worse.
final class FuzzSession: Sendable {
    private let number: UInt64
    private let options: FuzzOptions
    private let tally: Mutex<FuzzTally>
    private let log = CheckedLog()
    private let receipts = Mutex<[PublishReceipt]>([])
    private let consumers = Mutex<[Task<Void, Never>]>([])

    /// How much later than its deadline an await may end, on a busy machine.
    private static let slack = Duration.seconds(10)
    private static let callTimeout = Duration.milliseconds(250)

    init(number: UInt64, options: FuzzOptions, tally: FuzzTally) {
        self.number = number
        self.options = options
        self.tally = Mutex(tally)
    }

    @discardableResult
    func run() async -> FuzzTally {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            fail("no socketpair: errno \(errno)")
            return tally.withLock { $0 }
        }
        let peer = Task { [options, number, end = ends[1]] in
            await withCheckedContinuation { continuation in
                Thread.detachNewThread {
                    let peer = FuzzPeer(descriptor: end, random: options.random(number, 1), idle: options.idle)
                    peer.run()
                    continuation.resume(returning: peer.clientsFault)
                }
            }
        }
        var random = options.random(number, 2)
        var configuration = ConnectionConfiguration()
        configuration.connectedSocket = ends[0]
        configuration.connectTimeout = .milliseconds(600)
        configuration.callTimeout = Self.callTimeout
        configuration.publishTimeout = Self.callTimeout
        configuration.closeTimeout = .milliseconds(200)
        configuration.heartbeat = random.pick([.zero, .zero, .seconds(60)])
        configuration.maxMessageSize = random.pick([1000, 128 * 1024 * 1024])
        configuration.inboundHighWater = random.pick([1, 4096, 4 * 1024 * 1024])
        configuration.outboundHighWater = random.pick([1, 4096, 2 * 1024 * 1024])
        configuration.logger = log.logger
        let connection = await timed("connect", configuration.connectTimeout) { [configuration] in
            try await Connection.connect(configuration)
        }
        if let connection { await use(connection, &random) }
        if let fault = await peer.value { fail("the client wrote \(fault)") }
        for line in log.forged { fail("a line of the log: \(line.debugDescription)") }
        return tally.withLock { $0 }
    }

    // MARK: What the client does

    private func use(_ connection: Connection, _ random: inout SplitMix) async {
        count("connected")
        await withDiscardingTaskGroup { group in
            for use in 0..<random.number(1...2) {
                let random = options.random(number, 10 + UInt64(use))
                group.addTask { [self] in await useChannel(of: connection, random) }
            }
        }
        await timed("Connection.close", .milliseconds(200)) { await connection.close() }
        await timed("Connection.closed", .zero) { _ = try await connection.closed }
        for consumer in consumers.withLock({ $0 }) { await timed("a consumer's end", .zero) { await consumer.value } }
        let outcomes = receipts.withLock { $0 }.map(\.outcome)
        for case .success? in outcomes { count("confirmed") }
        let open = outcomes.filter { $0 == nil }.count
        if open > 0 { fail("\(open) messages have no outcome") }
        if let error = connection.closeReason?.error { check(error) }
    }

    private func useChannel(of connection: Connection, _ random: SplitMix) async {
        var random = random
        guard var channel = await timed("openChannel", Self.callTimeout, { try await connection.openChannel() }) else {
            return
        }
        var queue: Queue?
        var confirms = false
        if random.chance(0.6) {
            let most = random.pick([1, 3, 1000])
            confirms =
                await timed("selectConfirms", Self.callTimeout) { [channel] in
                    try await channel.selectConfirms(maxUnconfirmed: most)
                } != nil
        }
        for _ in 0..<random.number(2...25) {
            if !connection.isOpen, random.chance(0.7) { return }
            if !channel.isOpen, random.chance(0.5) {
                guard let other = await timed("openChannel", Self.callTimeout, { try await connection.openChannel() })
                else { return }
                (channel, queue, confirms) = (other, nil, false)
            }
            if random.chance(0.05) {
                await cancelled(channel, random.number(0...3))
                continue
            }
            if queue == nil || random.chance(0.1) {
                let name = random.chance(0.3) ? "" : "q"
                queue =
                    await timed("declareQueue", Self.callTimeout) { [channel] in try await channel.declareQueue(name) }
                    ?? queue
                continue
            }
            guard let queue else { continue }
            await step(channel, queue, &confirms, &random)
        }
        if random.chance(0.3) {
            await timed("Channel.close", .milliseconds(200)) { [channel] in await channel.close() }
        }
    }

    private func step(_ channel: Channel, _ queue: Queue, _ confirms: inout Bool, _ random: inout SplitMix) async {
        let limit = Self.callTimeout
        switch random.number(0...19) {
        case 0...2: consume(queue, SplitMix(seed: random.next()))
        case 3...7: await publish(queue, confirms, &random)
        case 8:
            let most = random.pick([1, 3, 1000])
            if await timed("selectConfirms", limit, { try await channel.selectConfirms(maxUnconfirmed: most) }) != nil {
                confirms = true
            }
        case 9: await timed("waitForConfirms", limit) { try await channel.waitForConfirms() }
        case 10...11:
            let noAck = random.chance(0.3)
            if let message = await timed("get", limit, { try await queue.get(noAck: noAck) }) ?? nil {
                settle(message, &random)
            }
        case 12: await timed("setQos", limit) { try await channel.setQos(prefetchCount: 5) }
        case 13: await timed("bind", limit) { _ = try await queue.bind(to: channel.topicExchange, routingKey: "a.#") }
        case 14: await timed("purge", limit) { _ = try await queue.purge() }
        case 15: await timed("declareExchange", limit) { _ = try await channel.declareExchange("x", type: .topic) }
        case 16:
            if !confirms, random.chance(0.3) {
                await timed("selectTransactions", limit) { try await channel.selectTransactions() }
            }
        case 17: await timed("commit", limit) { try await channel.commit() }
        case 18: await timed("recover", limit) { try await channel.recover() }
        default: await timed("flush", limit) { try await channel.connection.flush(timeout: limit) }
        }
    }

    private func publish(_ queue: Queue, _ confirms: Bool, _ random: inout SplitMix) async {
        let size = random.chance(0.03) ? random.number(0...200_000) : random.number(0...60)
        let message = Message(body: [UInt8](repeating: 1, count: size), headers: random.chance(0.3) ? ["n": 1] : nil)
        for _ in 0..<random.number(1...8) {
            let mandatory = random.chance(0.5)
            guard
                let receipt = await timed(
                    "publish",
                    Self.callTimeout,
                    { try await queue.publish(message, mandatory: mandatory) }
                )
            else { return }
            count("published")
            guard confirms else { continue }
            receipts.withLock { $0.append(receipt) }
            if random.chance(0.2) { await timed("confirmed", Self.callTimeout) { try await receipt.confirmed() } }
        }
    }

    private func consume(_ queue: Queue, _ random: SplitMix) {
        let task = Task { [self] in
            var random = random
            let options = ConsumerOptions(noAck: random.chance(0.3))
            guard let deliveries = await timed("consume", Self.callTimeout, { try await queue.consume(options) }) else {
                return
            }
            let most = random.chance(0.5) ? Int.max : random.number(0...5)
            do {
                var count = 0
                for try await message in deliveries {
                    settle(message, &random)
                    count += 1
                    if count > most { break }
                    // Slow now and then, so that messages wait for it.
                    if random.chance(0.05) { for _ in 0..<random.number(1...200) { await Task.yield() } }
                }
            } catch {
                check(error)
            }
        }
        consumers.withLock { $0.append(task) }
    }

    private func settle(_ message: IncomingMessage, _ random: inout SplitMix) {
        count("delivered")
        // All that is decoded late.
        _ = String(describing: message)
        _ = (try? message.text(), try? message.json(), message.headers, message.message.deaths.count)
        do {
            switch random.number(0...5) {
            case 0...2: try message.ack()
            case 3: try message.ack(multiple: true)
            case 4: try message.nack(requeue: random.chance(0.5), multiple: random.chance(0.3))
            default: break
            }
        } catch {
            check(error)
        }
    }

    /// A call whose task is cancelled, now or a moment later.
    private func cancelled(_ channel: Channel, _ yields: Int) async {
        await timed("a cancelled call", Self.callTimeout) {
            let task = Task { try await channel.setQos(prefetchCount: 9) }
            for _ in 0..<yields { await Task.yield() }
            task.cancel()
            try await task.value
        }
    }

    // MARK: What is looked at

    /// Awaits something, and notes how it ended and how late.
    @discardableResult
    private func timed<R>(_ what: String, _ limit: Duration, _ body: () async throws -> R) async -> R? {
        let start = ContinuousClock.now
        var result: R?
        do {
            result = try await body()
        } catch {
            check(error)
        }
        let delay = ContinuousClock.now - start - limit
        tally.withLock { $0.late(what, by: delay) }
        if delay > Self.slack { fail("\(what) took \(delay + limit)") }
        return result
    }

    private func check(_ error: any Error) {
        guard let error = error as? AMQPError else {
            if error is CancellationError { count("error cancelled") } else { fail("throws \(error)") }
            return
        }
        count("error \(error.code)")
        log.check(String(describing: error))
        log.check(error.message)
    }

    private func count(_ what: String) { tally.withLock { $0.count(what) } }

    private func fail(_ what: String) { tally.withLock { $0.failures.append(what) } }
}
