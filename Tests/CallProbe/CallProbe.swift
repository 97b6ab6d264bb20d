internal import CCallCounter
internal import Dispatch
internal import Glibc
internal import RabbitMQ

/// Prints what a lone publish, a confirm that is awaited and a delivery take of the system, in a process of its own where nothing
/// else runs: how many sends, how many receives, and how often a thread sleeps, for each.
///
/// Called with the broker's URI; with `planted` behind it, each operation also has a queue of Dispatch's woken and waits for
/// it, as if the library left its work to its queue.
@main
struct CallProbe {
    private static let rounds = 5
    private static let publishes = 400
    private static let deliveries = 10_000
    /// In microseconds: longer than what is published is taken to come close together.
    private static let pause: UInt32 = 500

    let isPlanted: Bool
    private let queue = DispatchQueue(label: "probe")

    static func main() async throws {
        let arguments = CommandLine.arguments
        var configuration = try ConnectionConfiguration(uri: arguments.count > 1 ? arguments[1] : "amqp://127.0.0.1")
        configuration.heartbeat = .zero
        let probe = CallProbe(isPlanted: arguments.contains("planted"))
        // On a thread of Swift's pool, where the tasks of a service are.
        try await Task.detached { [configuration] in
            try await Connection.withConnection(configuration) { connection in try await probe.run(on: connection) }
        }.value
    }

    private init(isPlanted: Bool) { self.isPlanted = isPlanted }

    private func run(on connection: Connection) async throws {
        let channel = try await connection.openChannel()
        let queue = try await channel.declareQueue(exclusive: true)
        let exchange = try await channel.declareExchange("")
        let message = Message(body: [UInt8](repeating: 1, count: 100))
        let key = queue.name

        try await measure("publish", Self.publishes) {
            try await exchange.publish(message, routingKey: key, mandatory: false)
            Self.sleep()
        }

        let confirming = try await connection.openChannel()
        try await confirming.selectConfirms()
        let confirmed = try await confirming.declareExchange("")
        try await measure("confirm", Self.publishes) {
            try await confirmed.publish(message, routingKey: key, mandatory: false).confirmed()
        }

        for _ in 0..<Self.rounds * Self.deliveries {
            try await exchange.publish(message, routingKey: key, mandatory: false)
        }
        // The broker answers when it has taken all that was sent before.
        try await channel.setQos()
        let deliveries = try await queue.consume(.noAck).makeAsyncIterator()
        try await measure("delivery", Self.deliveries) { try await take(from: deliveries) }
    }

    private func take(from deliveries: Deliveries.AsyncIterator) async throws {
        var deliveries = deliveries
        _ = try await deliveries.next()
    }

    /// Prints an operation's counts in the best of several rounds: in others the machine may be so busy that a thread has
    /// to wait where mostly it has not.
    private func measure(_ name: String, _ count: Int, _ operation: () async throws -> Void) async throws {
        var fewest: [Double] = []
        for _ in 0..<Self.rounds {
            let before = Self.counts
            for _ in 0..<count {
                try await operation()
                if isPlanted { wakeAnother() }
            }
            let counts = zip(Self.counts, before).map { Double($0 - $1) / Double(count) }
            fewest = fewest.isEmpty ? counts : zip(fewest, counts).map { min($0, $1) }
        }
        print(name, fewest[0], fewest[1], fewest[2])
    }

    private static var counts: [UInt64] { [call_count_sends(), call_count_receives(), call_count_sleeps()] }

    private static func sleep() { usleep(pause) }

    private func wakeAnother() {
        let isAwake = DispatchSemaphore(value: 0)
        queue.async { isAwake.signal() }
        isAwake.wait()
    }
}
