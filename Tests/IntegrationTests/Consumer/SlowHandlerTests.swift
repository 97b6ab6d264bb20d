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
        // Channels take it when they are opened, and look at it with each tick. Another run of this test may be under way.
        let usual = try await Subprocess.rabbitmqctl(
            "eval",
            """
            {ok, Usual} = application:get_env(rabbit, consumer_timeout), \
            application:set_env(rabbit, consumer_timeout, 1000), \
            case Usual of 1000 -> 1800000; _ -> Usual end.
            """
        )
        let restoring = "application:set_env(rabbit, consumer_timeout, \(usual.filter(\.isNumber)))"
        do {
            try await loop(name, in: "/", until: "the broker closed a channel") {
                try await Subprocess.rabbitmqctl("eval", "\(restoring), \(Self.ticking(name)).")
            }
        } catch {
            try await Subprocess.rabbitmqctl("eval", "\(restoring).")
            throw error
        }
    }

    private func cancelled() async throws {
        let name = TestBroker.uniqueName("timeout")
        try await Subprocess.rabbitmqctl("add_vhost", name, "--default-queue-type", "quorum")
        do {
            try await Subprocess.rabbitmqctl("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
            try await Subprocess.rabbitmqctl("set_policy", "-p", name, "timeout", ".*", #"{"consumer-timeout": 1000}"#)
            try await loop(name, in: name, until: "the broker cancelled a consumer") {}
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
        whenConsuming: () async throws -> Void
    ) async throws {
        var configuration = try TestBroker.configuration
        let log = CapturedLog()
        configuration.connectionName = name
        configuration.virtualHost = virtualHost
        configuration.logger = log.logger
        let redelivered = Collected<Bool>()
        let examples = PageExamples { message in
            redelivered.add(message.redelivered)
            guard !message.redelivered else { return }
            try await eventually("the client knows", within: .seconds(60)) {
                !log.entries(containing: end).isEmpty
            }
        }
        let consuming = Task { [configuration] in
            try await examples.consumeWithoutRecovery(configuration, queue: name)
        }
        try await Connection.withConnection(configuration) { connection in
            let channel = try await connection.openChannel()
            let queue = try await channel.declareQueue(name)
            try await eventually("it consumes") { try await channel.declareQueue(name).consumerCount == 1 }
            try await whenConsuming()
            try await channel.defaultExchange.publish(Message("x"), routingKey: name)
            try await eventually("it is handled again", within: .seconds(60)) { redelivered.all == [false, true] }
            consuming.cancel()
            await #expect(throws: CancellationError.self) { try await consuming.value }
            try await queue.delete(ifUnused: false, ifEmpty: false)
        }
    }

    /// Has the channels of a connection look, for half a minute, whether a message was kept for too long. They are looked
    /// up in the node's tables: to ask each channel ends who asks when one goes meanwhile, and then nobody looks.
    private static func ticking(_ name: String) -> String {
        """
        spawn(fun () -> [begin timer:sleep(500), \
        [Ch ! tick || {C, Connection} <- ets:tab2list(connection_created), \
        P <- [proplists:get_value(client_properties, Connection)], is_list(P), \
        lists:member({<<"connection_name">>, longstr, <<"\(name)">>}, P), \
        {Ch, Channel} <- ets:tab2list(channel_created), \
        proplists:get_value(connection, Channel) =:= C] end \
        || _ <- lists:seq(1, 60)] end)
        """
    }
}
