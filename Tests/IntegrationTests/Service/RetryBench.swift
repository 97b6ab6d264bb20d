import RabbitMQ
import TestSupport

/// A queue with a retry policy, and what that needs: all of it is deleted when the test is over.
struct RetryBench {
    let connection: Connection
    let channel: Channel
    let queue: Queue
    let policy: RetryPolicy

    struct Failure: Error, CustomStringConvertible {
        let description: String

        init(_ description: String = "it failed") { self.description = description }
    }

    /// Delays of a few milliseconds.
    static func quick(_ attempts: Int, isFinal: @escaping @Sendable (any Error) -> Bool = { _ in false }) -> RetryPolicy
    {
        RetryPolicy(attempts: attempts, delay: .milliseconds(10), maxDelay: .milliseconds(40), isFinal: isFinal)
    }

    /// Lends one, on a connection of its own unless one is given.
    static func use<R>(
        _ policy: RetryPolicy,
        on given: Connection? = nil,
        arguments: QueueArguments = [:],
        _ body: (RetryBench) async throws -> R
    ) async throws -> R {
        let name = TestBroker.uniqueName("retry")
        let result: Result<R, any Error>
        do {
            if let given {
                result = .success(try await use(policy, on: given, name, arguments, body))
            } else {
                result = .success(
                    try await TestBroker.withConnection { try await use(policy, on: $0, name, arguments, body) }
                )
            }
        } catch {
            result = .failure(error)
        }
        var topology = policy.topology(for: Topology.Queue(name, arguments: arguments))
        topology.queues.append(Topology.Queue(name))
        try await TestBroker.withChannel { [topology] _, channel in
            for queue in topology.queues {
                try await channel.queue(queue.name).delete(ifUnused: false, ifEmpty: false)
            }
        }
        return try result.get()
    }

    private static func use<R>(
        _ policy: RetryPolicy,
        on connection: Connection,
        _ name: String,
        _ arguments: QueueArguments,
        _ body: (RetryBench) async throws -> R
    ) async throws -> R {
        let channel = try await connection.openChannel()
        try await channel.setQos(prefetchCount: 20)
        let queue = try await channel.declareQueue(name, arguments: arguments)
        return try await body(RetryBench(connection: connection, channel: channel, queue: queue, policy: policy))
    }

    /// Runs `body` while a handler has the messages.
    func processing<R>(
        maxConcurrency: Int = 5,
        _ handler: @escaping @Sendable (IncomingMessage) async throws -> Void,
        while body: () async throws -> R
    ) async throws -> R {
        let worker = Task { [queue, policy] in
            try await queue.process(maxConcurrency: maxConcurrency, retrying: policy, handler)
        }
        let result: Result<R, any Error>
        do {
            result = .success(try await body())
        } catch {
            result = .failure(error)
        }
        worker.cancel()
        do {
            try await worker.value
        } catch is CancellationError {}
        return try result.get()
    }

    var parkingName: String { policy.parkingQueue ?? "\(queue.name).parked" }

    /// Waits for what is parked next, and for the queue that the handler's task may not have declared yet; on channels of
    /// its own, which the broker closes as long as that is missing.
    func nextParked() async throws -> ParkedMessage {
        let deadline = ContinuousClock.now + .seconds(20)
        while true {
            do {
                return try await TestBroker.withChannel { _, channel in
                    let message = try await channel.queue(parkingName).next(within: .seconds(20))
                    guard let parked = message.parked else { throw Failure("\(message.message) was not parked") }
                    return parked
                }
            } catch let error as AMQPError {
                // A quorum queue that was just declared may have no leader yet: 541, which closes the connection.
                let isNotYet = error.code == .notFound || error.isConnectionFatal
                guard isNotYet, ContinuousClock.now < deadline else { throw error }
                try await Task.sleep(for: .milliseconds(10))
            }
        }
    }

    /// How many messages the queue and all others that belong to it hold.
    func left() async throws -> Int {
        var topology = policy.topology(for: Topology.Queue(queue.name, arguments: queue.arguments))
        topology.queues.append(Topology.Queue(queue.name))
        return try await TestBroker.withChannel { [topology] _, channel in
            var sum = 0
            for queue in topology.queues {
                sum += try await channel.declareQueue(queue.name, passive: true).messageCount
            }
            return sum
        }
    }
}
