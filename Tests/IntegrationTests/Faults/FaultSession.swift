import Foundation
import RabbitMQ
import TestSupport

/// The whole life of a client on a queue of its own, each await of which is watched: it publishes and confirms, consumes and
/// acknowledges, asks, and closes.
struct FaultSession: Sendable {
    /// What has come of it.
    struct Outcome: Sendable {
        var confirmed: Set<Int> = []
        var delivered: Set<Int> = []
        var errors: [AMQPError] = []
        /// Awaits that did not end in time, and errors of another type.
        var faults: [String] = []
        var isComplete = false
    }

    /// Sizes of the bodies; 64 KiB and more with what is around them, there and back.
    static let sizes = [20, 200, 3000, 20, 5000, 26_000]

    /// How much later than its deadline an await may end, on a busy machine.
    private static let slack = Duration.seconds(10)

    let configuration: ConnectionConfiguration
    let queueName: String
    let sizes: [Int]

    /// - Parameters:
    ///   - proxy: Where it connects.
    ///   - tls: How, if the proxy leads to a port with TLS.
    init(through proxy: FaultProxy, sizes: [Int] = Self.sizes, tls: ConnectionConfiguration.TLS? = nil) throws {
        var configuration = try TestBroker.plainConfiguration
        configuration.endpoints = [.init(host: "127.0.0.1", port: proxy.port)]
        configuration.tls = tls
        configuration.connectTimeout = .seconds(2)
        configuration.callTimeout = .seconds(2)
        configuration.publishTimeout = .seconds(2)
        configuration.closeTimeout = .seconds(1)
        // What ends a wait for deliveries on a connection that is frozen.
        configuration.heartbeat = .seconds(1)
        self.configuration = configuration
        self.sizes = sizes
        queueName = TestBroker.uniqueName("faults")
    }

    private init(_ configuration: ConnectionConfiguration, _ queueName: String, _ sizes: [Int]) {
        self.configuration = configuration
        self.queueName = queueName
        self.sizes = sizes
    }

    /// The same with a connection that is made again.
    var recovering: FaultSession {
        var configuration = configuration
        configuration.recovery = RecoveryPolicy()
        configuration.recovery.retriesFirstConnect = true
        configuration.recovery.unconfirmed = .resend
        configuration.recovery.backOff = .milliseconds(20)
        configuration.connectTimeout = .seconds(10)
        configuration.callTimeout = .seconds(20)
        configuration.publishTimeout = .seconds(20)
        configuration.heartbeat = .seconds(2)
        return FaultSession(configuration, queueName, sizes)
    }

    func run() async -> Outcome {
        var outcome = Outcome()
        let limit = configuration.callTimeout
        guard
            let connection = await watch(
                "connect",
                configuration.connectTimeout,
                &outcome,
                {
                    try await Connection.connect(configuration)
                }
            )
        else { return outcome }
        await use(connection, limit, &outcome)
        _ = await watch("close", configuration.closeTimeout, &outcome) { await connection.close() }
        _ = await watch("closed", .zero, &outcome) { _ = try await connection.closed }
        return outcome
    }

    private func use(_ connection: Connection, _ limit: Duration, _ outcome: inout Outcome) async {
        guard let channel = await watch("openChannel", limit, &outcome, { try await connection.openChannel() }),
            await watch("selectConfirms", limit, &outcome, { try await channel.selectConfirms() }) != nil,
            let queue = await watch("declareQueue", limit, &outcome, { try await channel.declareQueue(queueName) })
        else { return }
        for (number, size) in sizes.enumerated() {
            let text = "\(number):" + String(repeating: "x", count: size)
            let result: Void? = await watch("publishConfirmed", configuration.publishTimeout + limit, &outcome) {
                try await queue.publishConfirmed(Message(text, deliveryMode: .persistent))
            }
            if result != nil { outcome.confirmed.insert(number) }
        }
        guard let deliveries = await watch("consume", limit, &outcome, { try await queue.consume() }) else { return }
        let expected = outcome.confirmed.count
        // A silent connection ends after two heartbeats, and its consumers with it.
        let delivered = await watch("deliveries", .seconds(20), &outcome) {
            let seen = Collected<Int>()
            do {
                for try await message in deliveries {
                    if let number = FaultSession.number(message) { seen.add(number) }
                    try? message.ack()
                    if Set(seen.all).count >= expected { break }
                }
            } catch is AMQPError {
                // What it saw before counts.
            }
            return Set(seen.all)
        }
        outcome.delivered = delivered ?? []
        guard await watch("get", limit, &outcome, { _ = try await queue.get(noAck: false) }) != nil else { return }
        _ = await watch("Channel.close", configuration.closeTimeout, &outcome) { await channel.close() }
        outcome.isComplete = outcome.confirmed.count == sizes.count && outcome.delivered == outcome.confirmed
    }

    static func number(_ message: IncomingMessage) -> Int? {
        (try? message.text())?.split(separator: ":").first.flatMap { Int($0) }
    }

    private func watch<R: Sendable>(
        _ what: String,
        _ deadline: Duration,
        _ outcome: inout Outcome,
        _ body: @escaping @Sendable () async throws -> R
    ) async -> R? {
        // A call that was on its way when the connection was lost is not made again by the library: nobody knows whether the
        // broker has done it. Here each may be made again.
        for attempt in 0... {
            do {
                return try await within(deadline + Self.slack, what, body)
            } catch let error as AMQPError {
                outcome.errors.append(error)
                let mayRepeat = configuration.recovery.isEnabled && what != "connect" && what != "openChannel"
                guard mayRepeat, error.code == .connectionLost, attempt < 3 else { return nil }
            } catch {
                outcome.faults.append("\(what): \(error)")
                return nil
            }
        }
        return nil
    }

    /// Deletes the queue, and says what of the confirmed messages was neither delivered nor is in it: nothing may be.
    func lost(_ outcome: Outcome) async throws -> Set<Int> {
        try await TestBroker.withChannel { _, channel in
            var missing = outcome.confirmed.subtracting(outcome.delivered)
            guard !outcome.confirmed.isEmpty else {
                _ = try? await channel.queue(queueName).delete(ifUnused: false, ifEmpty: false)
                return missing
            }
            let queue = try channel.queue(queueName)
            // What was under way to the client comes back when the broker has noticed its end.
            try? await eventually("what is not delivered is in the queue", within: .seconds(15)) {
                while let message = try await queue.get(noAck: true) {
                    if let number = FaultSession.number(message) { missing.remove(number) }
                }
                return missing.isEmpty
            }
            _ = try await queue.delete(ifUnused: false, ifEmpty: false)
            return missing
        }
    }
}

/// How much of a battery is run: a part with the other tests, all of it by `scripts/soak.sh --faults`.
enum FaultBattery {
    static let isLong = ProcessInfo.processInfo.environment["RABBITMQ_FAULTS"] == "long"

    /// For how many minutes a thousand tasks go on, if `scripts/soak.sh --callers` asks for it.
    static let callerMinutes = ProcessInfo.processInfo.environment["RABBITMQ_CALLERS"].flatMap { Int($0) } ?? 0

    /// After how many bytes a session is cut: each of the first 2,048, then in steps to 64 KiB.
    static func places(every step: Int) -> [Int] {
        let step = isLong ? 1 : step
        return Array(stride(from: 0, to: 2048, by: step))
            + Array(stride(from: 2048, through: 65_536, by: isLong ? 257 : 12_697))
    }

    /// How many sessions leave nothing: in the long form what stays of one, some KB, is seen.
    static var cycles: Int { isLong ? 4000 : 200 }

    /// How such a session ends. To freeze takes seconds each: that is in the long form only.
    static func ending(after place: Int) -> FaultProxy.Ending {
        if isLong, place % 40 == 3 { return .freeze }
        return place % 2 == 0 ? .reset : .close
    }

    /// Runs `body` for each of `places`, eight at a time.
    static func run(_ places: [Int], _ body: @escaping @Sendable (Int) async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, place) in places.enumerated() {
                if index >= 8 { try await group.next() }
                group.addTask { try await body(place) }
            }
            try await group.waitForAll()
        }
    }
}
