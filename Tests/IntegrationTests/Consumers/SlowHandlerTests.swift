import RabbitMQ
import TestSupport
import Testing

/// The broker ends who keeps a message for too long: before 4.3 the channel (406, without a method), from 4.3 on the
/// consumer of a quorum queue (basic.cancel).
@Suite("A handler that is too slow for the broker", .needsRabbitmqctl, .timeLimit(.minutes(2)))
struct SlowHandlerTests {
    @Test("the documentation's loop comes back when it hits a slow handler, and the message is delivered again")
    func slowHandler() async throws {
        if try await BrokerVersion.current >= .v4_3 {
            try await cancelled()
        } else {
            try await closed()
        }
    }

    private func closed() async throws {
        let name = TestBroker.uniqueName("timeout")
        // Channels take it when they are opened, and look at it with each tick.
        let usual = try await Subprocess.rabbitmqctl("eval", "application:get_env(rabbit, consumer_timeout).")
        let milliseconds = try #require(usual.firstMatch(of: /\d+/)).output
        try await Subprocess.rabbitmqctl("eval", "application:set_env(rabbit, consumer_timeout, 1000).")
        @Sendable func restore() async throws {
            try await Subprocess.rabbitmqctl("eval", "application:set_env(rabbit, consumer_timeout, \(milliseconds)).")
        }
        do {
            try await loop(name, in: "/", until: "the broker closed a channel") {
                try await restore()
                return { try await Subprocess.rabbitmqctl("eval", Self.tick(name)) }
            }
        } catch {
            try await restore()
            throw error
        }
    }

    private func cancelled() async throws {
        let name = TestBroker.uniqueName("timeout")
        try await Subprocess.rabbitmqctl("add_vhost", name, "--default-queue-type", "quorum")
        do {
            try await Subprocess.rabbitmqctl("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
            try await Subprocess.rabbitmqctl("set_policy", "-p", name, "timeout", ".*", #"{"consumer-timeout": 1000}"#)
            try await loop(name, in: name, until: "the broker cancelled a consumer") { {} }
        } catch {
            try await Subprocess.rabbitmqctl("delete_vhost", name)
            throw error
        }
        try await Subprocess.rabbitmqctl("delete_vhost", name)
    }

    /// Has the documentation's loop handle a message that it keeps until the log says so, then again.
    private func loop(
        _ name: String,
        in virtualHost: String,
        until end: String,
        handling: @escaping @Sendable () async throws -> @Sendable () async throws -> Void
    ) async throws {
        var configuration = try TestBroker.configuration
        let log = CapturedLog()
        configuration.connectionName = name
        configuration.virtualHost = virtualHost
        configuration.logger = log.logger
        let redelivered = Collected<Bool>()
        let examples = ReadmeExamples { message in
            redelivered.add(message.redelivered)
            guard !message.redelivered else { return }
            let nudge = try await handling()
            try await eventually("the client knows", within: .seconds(60)) {
                try await nudge()
                return !log.entries(containing: end).isEmpty
            }
        }
        let consuming = Task { [configuration] in try await examples.consumeForever(configuration, queue: name) }
        try await Connection.withConnection(configuration) { connection in
            let channel = try await connection.openChannel()
            let queue = try await channel.declareQueue(name)
            try await channel.defaultExchange.publish(Message("x"), routingKey: name)
            try await eventually("it is handled again", within: .seconds(60)) { redelivered.all == [false, true] }
            // And is acknowledged then.
            try await eventually("it goes on") {
                try await channel.defaultExchange.publish(Message("y"), routingKey: name)
                return redelivered.all.count > 2
            }
            consuming.cancel()
            await #expect(throws: CancellationError.self) { try await consuming.value }
            try await queue.delete(ifUnused: false, ifEmpty: false)
        }
    }

    /// Has the channels of a connection look whether a message was kept for too long.
    private static func tick(_ name: String) -> String {
        """
        [Ch ! tick || C <- rabbit_networking:connection_info_all([pid, client_properties]), \
        P <- [proplists:get_value(client_properties, C)], is_list(P), \
        lists:member({<<"connection_name">>, longstr, <<"\(name)">>}, P), \
        Ch <- rabbit_channel:list_local(), \
        rabbit_channel:info(Ch, [connection]) =:= [{connection, proplists:get_value(pid, C)}]].
        """
    }
}
