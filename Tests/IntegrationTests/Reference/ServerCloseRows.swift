import Foundation
import RabbitMQ
import TestSupport
import Testing

@Suite("Reference: channels that the server closes", .timeLimit(.minutes(1)))
struct ServerCloseRows {
    /// What the broker closes a channel for, and what it says then.
    struct Offence: Sendable, CustomTestStringConvertible {
        let code: AMQPError.Code
        let replyCode: ReplyCode
        let text: String
        let method: String
        /// Commits it on a channel; another connection has the exclusive queue.
        let commit: @Sendable (Channel, _ exclusiveToAnother: String) async throws -> Void

        var testDescription: String { "\(replyCode) by \(method)" }
    }

    static let offences = [
        Offence(code: .accessRefused, replyCode: .accessRefused, text: "exclusive use", method: "basic.consume") {
            channel,
            _ in
            let queue = try await channel.declareQueue(exclusive: true)
            let first = try await queue.consume(ConsumerOptions(exclusive: true))
            let second = try await queue.consume()
            withExtendedLifetime((first, second)) {}
        },
        Offence(code: .accessRefused, replyCode: .accessRefused, text: "internal", method: "basic.publish") {
            channel,
            _ in
            let name = TestBroker.uniqueName("internal")
            let hidden = try await channel.declareExchange(name, autoDelete: true, internal: true)
            // Bound, so that it goes with the exclusive queue.
            let queue = try await channel.declareQueue(exclusive: true)
            try await queue.bind(to: hidden, routingKey: "")
            try await hidden.publish(Message(body: []), routingKey: "")
            _ = try await queue.get()
        },
        Offence(code: .notFound, replyCode: .notFound, text: "no queue", method: "queue.declare") { channel, _ in
            _ = try await channel.declareQueue(TestBroker.uniqueName("missing"), passive: true)
        },
        Offence(code: .notFound, replyCode: .notFound, text: "no exchange", method: "exchange.declare") { channel, _ in
            _ = try await channel.declareExchange(TestBroker.uniqueName("missing"), passive: true)
        },
        Offence(code: .resourceLocked, replyCode: .resourceLocked, text: "exclusive", method: "queue.declare") {
            channel,
            locked in
            _ = try await channel.declareQueue(locked, exclusive: true, passive: true)
        },
        Offence(code: .preconditionFailed, replyCode: .preconditionFailed, text: "auto_delete", method: "queue.declare")
        {
            channel,
            _ in
            let queue = try await channel.declareQueue(TestBroker.uniqueName("flags"), exclusive: true)
            _ = try await channel.declareQueue(queue.name, exclusive: true, autoDelete: true)
        },
        Offence(code: .preconditionFailed, replyCode: .preconditionFailed, text: "user_id", method: "basic.publish") {
            channel,
            _ in
            let queue = try await channel.declareQueue(exclusive: true)
            let exchange = try await channel.declareExchange("")
            try await exchange.publish(Message(body: [], userID: "someone else"), routingKey: queue.name)
            _ = try await queue.get()
        },
    ]

    @Test("row 14: a channel closed by the server keeps code, text and method, and harms no other", arguments: offences)
    func channelError(_ offence: Offence) async throws {
        let log = CapturedLog()
        let owner = try await Connection.connect(TestBroker.configuration)
        let locked = try await owner.openChannel().declareQueue(exclusive: true)
        try await Connection.withConnection(TestBroker.configuration(log: log)) { connection in
            let bystander = try await connection.openChannel()
            let queue = try await bystander.declareQueue(exclusive: true)
            let exchange = try await bystander.declareExchange("")
            let deliveries = try await queue.consume()

            let channel = try await connection.openChannel()
            let error = await expectError(offence.code) { try await offence.commit(channel, locked.name) }
            #expect(error?.replyCode == offence.replyCode)
            #expect(error?.replyText?.contains(offence.text) == true, "\(String(describing: error))")
            #expect(error?.method?.name == offence.method)
            #expect(error?.isChannelFatal == true)
            #expect(error?.isConnectionFatal == false)
            // Later calls throw the same, and nothing is sent.
            for _ in 0..<2 {
                let later = await expectError(offence.code) { try await channel.declareQueue(exclusive: true) }
                #expect(later?.replyText == error?.replyText)
            }
            #expect(channel.closeReason?.replyCode == offence.replyCode)
            await channel.close()
            #expect(log.entries(containing: "the broker closed a channel").count == 1)
            #expect(log.entries.contains { $0.description.contains(offence.text) })

            // The other channel goes on, and the number is free again: close-ok was sent.
            try await exchange.publishNumbers(7..<8, to: queue)
            for try await message in deliveries {
                #expect(message.number == 7)
                try message.ack()
                break
            }
            let again = try await connection.openChannel()
            #expect(again.number == channel.number)
            #expect(try await !again.declareQueue(exclusive: true).name.isEmpty)
        }
        await owner.close()
    }

    @Test("row 14: pending calls and consumers of the channel get the server's error")
    func pendingCalls() async throws {
        try await TestBroker.withConnection { connection in
            let channel = try await connection.openChannel()
            let queue = try await channel.declareQueue(exclusive: true)
            let deliveries = try await queue.consume()
            let consuming = Task { for try await _ in deliveries {} }
            let errors = Collected<AMQPError>()
            try await queue.consume(onError: { errors.add($0) }, callback: { _ in })
            let missing = TestBroker.uniqueName("missing")
            _ = try await channel.declareQueue(missing, passive: true, noWait: true)
            // Asked before the answer to that was read, or refused after it: the same error either way.
            let calls = (0..<10).map { _ in Task { try await queue.get() } }
            for call in calls { await expectError(.notFound) { try await call.value } }
            await expectError(.notFound) { try await consuming.value }
            try await eventually("the callback consumer was told") { errors.count == 1 }
            #expect(errors.all.first?.replyText?.contains(missing) == true)
        }
    }

    @Test("row 14: errors that concern the whole connection end it with code, text and method")
    func connectionErrors() async throws {
        var offences: [(ReplyCode, AMQPError.Code, String, @Sendable (Channel) async throws -> Void)] = [
            (.notImplemented, .notImplemented, "basic.qos", { try await $0.setQos(prefetchSize: 1) })
        ]
        if try await BrokerVersion.current < .v4_0 {
            let commit: @Sendable (Channel) async throws -> Void = { try await Self.declareUnknownType($0) }
            offences.append((.commandInvalid, .commandInvalid, "exchange.declare", commit))
        }
        for (replyCode, code, method, commit) in offences {
            let connection = try await Connection.connect(TestBroker.configuration)
            let channel = try await connection.openChannel()
            let other = try await connection.openChannel()
            let error = await expectError(.connectionClosed) { try await commit(channel) }
            #expect(error?.replyCode == replyCode)
            #expect(error?.method?.name == method)
            #expect(error?.replyText?.isEmpty == false)
            #expect((error?.underlying as? AMQPError)?.code == code)
            #expect(error?.isConnectionFatal == true)
            let later = await expectError(.connectionClosed) { try await other.declareQueue(exclusive: true) }
            #expect(later?.replyCode == replyCode)
            #expect(try await connection.closed.kind == .closedByServer)
        }
    }

    @Test("row 14: an unknown type of exchange closes only the channel from 4.0 on", .needsBroker(.v4_0))
    func unknownType() async throws {
        let unknown = Offence(
            code: .preconditionFailed,
            replyCode: .preconditionFailed,
            text: "no-such-type",
            method: "exchange.declare"
        ) { channel, _ in try await Self.declareUnknownType(channel) }
        try await channelError(unknown)
    }

    private static func declareUnknownType(_ channel: Channel) async throws {
        _ = try await channel.declareExchange(TestBroker.uniqueName("type"), type: "no-such-type")
    }

    @Test("row 14: an operator's close, 320, gives its text", .needsRabbitmqctl)
    func connectionForced() async throws {
        var configuration = try TestBroker.configuration
        let name = TestBroker.uniqueName("forced")
        configuration.connectionName = name
        let connection = try await Connection.connect(configuration)
        let channel = try await connection.openChannel()
        let queue = try await channel.declareQueue(exclusive: true)
        let deliveries = try await queue.consume()
        let consuming = Task { for try await _ in deliveries {} }
        let listed = try await Subprocess.rabbitmqctl("-q", "list_connections", "pid", "client_properties")
        let own = try #require(listed.split(separator: "\n").first { $0.contains(name) })
        let pid = String(own.prefix { $0 != "\t" })
        try await Subprocess.rabbitmqctl("-q", "close_connection", pid, "moving house")
        let reason = try await connection.closed
        #expect(reason.kind == .closedByServer)
        #expect(reason.replyCode == .connectionForced)
        #expect(reason.replyText?.contains("moving house") == true)
        let error = await expectError(.connectionClosed) { try await consuming.value }
        #expect(error?.replyCode == .connectionForced)
        #expect((error?.underlying as? AMQPError)?.code == .connectionForced)
        #expect((error?.underlying as? AMQPError)?.isRetryable == true)
    }
}
