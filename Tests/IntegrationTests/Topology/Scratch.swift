import RabbitMQ
import Synchronization
import TestSupport

/// Names for what a test declares on the broker, all of which is deleted when the test is over.
final class Scratch: Sendable {
    private let queues = Mutex<[String]>([])
    private let exchanges = Mutex<[String]>([])

    func queue(_ name: String = "queue") -> String {
        let name = TestBroker.uniqueName(name)
        queues.withLock { $0.append(name) }
        return name
    }

    func exchange(_ name: String = "exchange") -> String {
        let name = TestBroker.uniqueName(name)
        exchanges.withLock { $0.append(name) }
        return name
    }

    /// Lends names, a connection and a channel; deletes what was declared by these names, whether or not `body` throws.
    static func use<R>(_ body: (Scratch, Connection, Channel) async throws -> R) async throws -> R {
        let scratch = Scratch()
        let result: Result<R, any Error>
        do {
            result = .success(try await TestBroker.withChannel { try await body(scratch, $0, $1) })
        } catch {
            result = .failure(error)
        }
        try await TestBroker.withConnection { connection in
            try await scratch.deleteAll(on: connection)
        }
        return try result.get()
    }

    private func deleteAll(on connection: Connection) async throws {
        for name in queues.withLock({ $0 }) {
            // A busy RabbitMQ 4.3 lets go of a closed connection's own queues only after a while.
            try await eventually("\(name) to be deleted", within: .seconds(60)) {
                let channel = try await connection.openChannel()
                do {
                    try await channel.queue(name).delete(ifUnused: false, ifEmpty: false)
                } catch let error as AMQPError where error.code == .resourceLocked {
                    return false
                }
                await channel.close()
                return true
            }
        }
        let channel = try await connection.openChannel()
        for name in exchanges.withLock({ $0 }) {
            try await channel.exchange(name).delete(ifUnused: false)
        }
        await channel.close()
    }
}

extension Channel {
    /// Publishes text to a queue.
    func send(_ text: String, to queue: String) async throws {
        try await defaultExchange.publish(Message(text), routingKey: queue)
    }
}

extension Queue {
    /// Waits until a message is there, and takes it.
    func next(within limit: Duration = .seconds(10)) async throws -> IncomingMessage {
        var message: IncomingMessage?
        try await eventually("a message in \(name)", within: limit) {
            message = try await get(noAck: true)
            return message != nil
        }
        guard let message else { throw AMQPError(.timedOut, "no message in \(name)") }
        return message
    }

    /// How many messages are ready, as the broker says now.
    func readyCount() async throws -> Int {
        try await channel.declareQueue(name, passive: true).messageCount
    }
}
