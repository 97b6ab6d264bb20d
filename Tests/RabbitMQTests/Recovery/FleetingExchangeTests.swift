import TestSupport
import Testing

@testable import RabbitMQ

/// The broker notices late that a connection is gone, and takes along then what deletes itself.
@Suite("What goes with the lost connection after it was declared again", .timeLimit(.minutes(1)))
struct FleetingExchangeTests {
    private static let noExchange = "NOT_FOUND - no exchange 'fleeting' in vhost '/'"
    private static let noQueue = "NOT_FOUND - no queue 'fleeting' in vhost '/'"

    private func declarations(on session: ScriptedBroker.Session) -> [PeerMethod] {
        session.methods.filter { [.exchangeDeclare, .queueDeclare, .queueBind].contains($0) }
    }

    @Test func `a long name is known by its beginning, as the broker cuts its text`() {
        let name = String(repeating: "n", count: 240)
        let (exchange, queue) = (ConnectionCore.Fleeting.exchange(name), ConnectionCore.Fleeting.queue(name))
        for (kind, fleeting, other) in [("exchange", exchange, queue), ("queue", queue, exchange)] {
            let text = "NOT_FOUND - no \(kind) '\(name)' in vhost '/'"
            let error = AMQPError(replyCode: 404, replyText: "\(text.prefix(252))...", classID: 60, methodID: 40)
            #expect(fleeting.isMissed(by: error))
            #expect(!other.isMissed(by: error))
            #expect(!ConnectionCore.Fleeting.exchange("n").isMissed(by: error))
        }
    }

    @Test func `an exchange that is missed by its binding is declared again and bound`() async throws {
        let script = ScriptedClient.script { $0.refusals = [.init(.queueBind, code: 404, Self.noExchange)] }
        try await ScriptedClient.run([ScriptedBroker.Script(), script]) { client in
            let exchange = try await client.channel.declareExchange("fleeting", autoDelete: true)
            let queue = try await client.channel.declareQueue(exclusive: true)
            try await queue.bind(to: exchange, routingKey: "k")
            try client.broker.session.cut()
            try await client.waitForSession(2)
            let session = try client.broker.session
            #expect(
                declarations(on: session) == [
                    .exchangeDeclare, .queueDeclare, .queueBind, .exchangeDeclare, .queueBind,
                ]
            )
            #expect(client.connection.topology.everything.bindings.map(\.destination) == [.queue(queue.name)])
        }
    }

    @Test func `each binding counts as one, also where it was made before its exchange went`() async throws {
        try await ScriptedClient.run { client in
            let exchange = try await client.channel.declareExchange("fleeting", autoDelete: true)
            let queue = try await client.channel.declareQueue("q")
            for key in ["made", "missed"] { try await queue.bind(to: exchange, routingKey: key) }
            let session = try client.broker.session
            session.refuse(.init(.queueBind, "missed", code: 404, Self.noExchange))
            let core = client.connection.core
            var report = RecoveryReport()
            try await core.replay(core.topology.everything, on: core.link, &report)
            #expect(report.exchanges == 1 && report.queues == 1 && report.bindings == 2)
            #expect(report.refused.isEmpty)
            #expect(session.methods.filter { $0 == .queueBind }.count == 6)
        }
    }

    @Test func `what is missed again stays refused`() async throws {
        try await ScriptedClient.run { client in
            let exchange = try await client.channel.declareExchange("fleeting", autoDelete: true)
            let queue = try await client.channel.declareQueue("q")
            try await queue.bind(to: exchange, routingKey: "k")
            let refusal = ScriptedBroker.Refusal(.queueBind, code: 404, Self.noExchange)
            try client.broker.session.refuse(refusal, refusal)
            let core = client.connection.core
            var report = RecoveryReport()
            try await core.replay(core.topology.everything, on: core.link, &report)
            #expect(report.bindings == 0)
            #expect(report.refused.map(\.error.code) == [.notFound])
        }
    }

    @Test func `an exchange that is missed by a message is declared again, once for a channel`() async throws {
        try await ScriptedClient.run { client in
            let exchange = try await client.channel.declareExchange("fleeting", autoDelete: true)
            try await client.channel.selectConfirms()
            try client.broker.session.cut()
            try await client.waitForSession(2)
            let session = try client.broker.session
            session.refuse(.init(.basicPublish, "fleeting", code: 404, Self.noExchange))
            let first = try await thrownError { try await exchange.publishConfirmed(Message("x"), routingKey: "k") }
            #expect(first.code == .notFound)
            try await exchange.publishConfirmed(Message("y"), routingKey: "k")
            #expect(declarations(on: session) == [.exchangeDeclare, .exchangeDeclare])
            #expect(session.published.map(\.text) == ["y"])
            session.refuse(.init(.basicPublish, "fleeting", code: 404, Self.noExchange))
            let second = try await thrownError { try await exchange.publishConfirmed(Message("z"), routingKey: "k") }
            #expect(second.code == .notFound)
            let reason = try await within(.seconds(10), "its end") { [channel = client.channel] in
                try await channel.closed
            }
            #expect(reason.code == .notFound)
        }
    }

    @Test func `only its own bindings are made again with an exchange that is missed by a message`() async throws {
        try await ScriptedClient.run { client in
            let exchange = try await client.channel.declareExchange("fleeting", autoDelete: true)
            let queue = try await client.channel.declareQueue("q")
            try await queue.bind(to: exchange, routingKey: "its")
            try await queue.bind(to: client.channel.topicExchange, routingKey: "other")
            let core = client.connection.core
            let error = AMQPError(replyCode: 404, replyText: Self.noExchange, classID: 60, methodID: 40)
            try await core.declareAgain(missedBy: error, on: core.link)
            let session = try client.broker.session
            #expect(
                declarations(on: session) == [
                    .exchangeDeclare, .queueDeclare, .queueBind, .queueBind, .exchangeDeclare, .queueBind,
                ]
            )
        }
    }

    @Test func `only its own bindings are made again with a queue that went with its last consumer`() async throws {
        try await ScriptedClient.run { client in
            let queue = try await client.channel.declareQueue("fleeting", autoDelete: true)
            let other = try await client.channel.declareQueue("q")
            try await queue.bind(to: client.channel.topicExchange, routingKey: "its")
            try await other.bind(to: client.channel.topicExchange, routingKey: "other")
            let session = try client.broker.session
            session.refuse(.init(.queueDeclare, "fleeting", code: 404, Self.noQueue))
            let core = client.connection.core
            try await core.declareAgain(core.topology.everything.queues, on: core.link)
            // The third declaration asks whether it is there.
            #expect(
                declarations(on: session) == [
                    .queueDeclare, .queueDeclare, .queueBind, .queueBind, .queueDeclare, .queueDeclare, .queueBind,
                ]
            )
        }
    }

    @Test(arguments: [1, 2]) func `a queue that is missed by its consumer is declared again`(count: Int) async throws {
        let script = ScriptedClient.script { $0.refusals = [.init(.basicConsume, "fleeting", code: 404, Self.noQueue)] }
        try await ScriptedClient.run([ScriptedBroker.Script(), script]) { client in
            var all: [Deliveries] = []
            let names = Array(["fleeting", "other"].prefix(count))
            for name in names { all.append(try await client.channel.declareQueue(name, autoDelete: true).consume()) }
            try client.broker.session.cut()
            try await client.waitForSession(2)
            let session = try client.broker.session
            let core = client.channel.core
            try await eventually("they consume again") {
                !core.isWaiting && Set(session.consumers.map(\.queue)) == Set(names)
            }
            #expect(all.allSatisfy { !$0.consumer.isCancelling })
            #expect(client.channel.isOpen)
        }
    }

    @Test func `a consumer that misses its queue again ends`() async throws {
        let script = ScriptedClient.script {
            let refusal = ScriptedBroker.Refusal(.basicConsume, "fleeting", code: 404, Self.noQueue)
            $0.refusals = [refusal, refusal]
        }
        try await ScriptedClient.run([ScriptedBroker.Script(), script]) { client in
            let deliveries = try await client.channel.declareQueue("fleeting", autoDelete: true).consume()
            try client.broker.session.cut()
            let error = try await thrownError(within: .seconds(20)) { for try await _ in deliveries {} }
            #expect(error.code == .notFound)
            try await client.channel.setQos(prefetchCount: 1)
            #expect(client.channel.isOpen)
        }
    }
}
