import RabbitMQ
import TestSupport
import Testing

/// What passes by itself is worth another try, as the broker says it.
@Suite("What passes by itself")
struct PassingFaults {
    /// Makes a virtual host that lets nobody in, or a user whom nobody lets in, and drops it.
    private static func withVirtualHost(_ body: (String) async throws -> Void) async throws {
        let name = TestBroker.uniqueName("limited")
        try await Subprocess.rabbitmqctl("add_vhost", name)
        do {
            try await Subprocess.rabbitmqctl("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
            try await body(name)
        } catch {
            try await Subprocess.rabbitmqctl("delete_vhost", name)
            throw error
        }
        try await Subprocess.rabbitmqctl("delete_vhost", name)
    }

    private static func refusal(_ configuration: ConnectionConfiguration) async throws -> AMQPError {
        try #require(
            await #expect(throws: AMQPError.self) { try await Connection.withConnection(configuration) { _ in } }
        )
    }

    @Test("a virtual host that has all its connections: until one of them goes")
    func virtualHostLimit() async throws {
        try await Self.withVirtualHost { name in
            try await Subprocess.rabbitmqctl("set_vhost_limits", "-p", name, #"{"max-connections": 1}"#)
            var configuration = try TestBroker.configuration
            configuration.virtualHost = name
            try await Connection.withConnection(configuration) { [configuration] _ in
                try await eventually("the broker counts the connection") {
                    try await Subprocess.rabbitmqctl("list_connections", "vhost").contains(name)
                }
                let error = try await Self.refusal(configuration)
                #expect(error.code == .notAllowed)
                #expect(error.isRetryable, "\(error)")
                #expect(error.isRecoverable)
            }
        }
    }

    @Test("a virtual host that has all its queues: until one of them goes")
    func queueLimit() async throws {
        try await Self.withVirtualHost { name in
            try await Subprocess.rabbitmqctl("set_vhost_limits", "-p", name, #"{"max-queues": 1}"#)
            var configuration = try TestBroker.configuration
            configuration.virtualHost = name
            try await Connection.withConnection(configuration) { connection in
                let channel = try await connection.openChannel()
                let queue = try await channel.declareQueue("a", exclusive: true)
                let error = try await #require(
                    #expect(throws: AMQPError.self) { try await channel.declareQueue("b", exclusive: true) }
                )
                #expect(error.code == .preconditionFailed)
                #expect(error.isRetryable, "\(error)")
                let next = try await connection.openChannel()
                try await next.queue(queue.name).delete(ifUnused: false, ifEmpty: false)
                _ = try await next.declareQueue("b", exclusive: true)
            }
        }
    }

    @Test("a user who has all their connections; not a user without permission")
    func userLimit() async throws {
        let user = TestBroker.uniqueName("user")
        try await Subprocess.rabbitmqctl("add_user", user, "secret")
        do {
            var configuration = try TestBroker.configuration
            configuration.credentials = .plain(username: user, password: "secret")
            let forbidden = try await Self.refusal(configuration)
            #expect(forbidden.code == .notAllowed)
            #expect(!forbidden.isRetryable && !forbidden.isRecoverable, "\(forbidden)")
            try await Subprocess.rabbitmqctl("set_permissions", user, ".*", ".*", ".*")
            try await Subprocess.rabbitmqctl("set_user_limits", user, #"{"max-connections": 0}"#)
            let full = try await Self.refusal(configuration)
            #expect(full.code == .notAllowed)
            #expect(full.isRetryable && full.isRecoverable, "\(full)")
            try await Subprocess.rabbitmqctl("delete_user", user)
        } catch {
            try await Subprocess.rabbitmqctl("delete_user", user)
            throw error
        }
    }

    @Test("a queue that another consumer has for itself; not a queue that is missing")
    func exclusiveUse() async throws {
        try await TestBroker.withChannel { connection, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            let consumer = try await queue.consume(ConsumerOptions(exclusive: true))
            let other = try await connection.openChannel()
            let error = try await #require(
                #expect(throws: AMQPError.self) { try await other.queue(queue.name).consume() }
            )
            #expect(error.code == .accessRefused)
            #expect(error.isRetryable && error.isRecoverable, "\(error)")
            try await consumer.consumer.cancel()
            let third = try await connection.openChannel()
            let missing = try await #require(
                #expect(throws: AMQPError.self) {
                    try await third.queue(TestBroker.uniqueName("missing")).consume()
                }
            )
            #expect(missing.code == .notFound)
            #expect(!missing.isRetryable && !missing.isRecoverable, "\(missing)")
        }
    }
}
