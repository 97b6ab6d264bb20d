import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("A queue that the broker names anew", .timeLimit(.minutes(1)))
struct NewNameTests {
    /// One that confirms nothing, one that never lets anybody in, and then one as it should be.
    private static var scripts: [ScriptedBroker.Script] {
        var (silent, stuck) = (ScriptedBroker.Script(), ScriptedBroker.Script())
        silent.confirms = false
        stuck.stopsAtFrame = 1
        return [silent, stuck]
    }

    @Test func `is meant by all that was unconfirmed, and by all that waited for the connection`() async throws {
        try await ScriptedBroker.run(Self.scripts) { broker in
            var configuration = broker.configuration
            configuration.recovery.unconfirmed = .resend
            let connection = try await Connection.connect(configuration)
            let channel = try await connection.openChannel()
            try await channel.selectConfirms()
            let exchange = try await channel.declareExchange("e")
            let queue = try await channel.declareQueue(exclusive: true)
            let removed = try await queue.bind(to: exchange, routingKey: "removed")
            try await queue.bind(to: exchange, routingKey: "removed by its names")
            let before = queue.name
            let unconfirmed = try await queue.publish(Message("unconfirmed"))
            let first = try broker.session
            try await eventually("it is there") { first.published.count == 1 }
            first.cut()
            try await eventually("it is noticed") { connection.state == .recovering }
            let waiting = [
                Task { _ = try await queue.bind(to: exchange, routingKey: "made") },
                Task { try await removed.unbind() },
                Task { try await queue.unbind(from: "e", routingKey: "removed by its names") },
                Task { try await queue.publishConfirmed(Message("waited")) },
                Task {
                    try await channel.defaultExchange.publishConfirmed(Message("by its name"), routingKey: before)
                },
            ]
            try await eventually("all wait") {
                channel.core.state.withLock { $0.waiters.count } == waiting.count && broker.sessions.count == 2
            }
            try broker.session.cut()
            for task in waiting { try await within(.seconds(20), "its end") { try await task.value } }
            try await within(.seconds(20), "its outcome") { try await unconfirmed.confirmed() }
            #expect(queue.name != before)
            let last = try broker.session
            #expect(last.published.map(\.routingKey) == [String](repeating: queue.name, count: 3))
            #expect(last.published.first?.text == "unconfirmed")
            for method in [PeerMethod.queueBind, .queueUnbind] {
                let queues = last.frames.filter { $0.method == method }.map { frame in
                    var fields = frame.fields
                    _ = fields.short()
                    return fields.shortString()
                }
                #expect(!queues.isEmpty && queues.allSatisfy { $0 == queue.name })
            }
            #expect(connection.topology.everything.bindings.map(\.routingKey) == ["made"])
            #expect(connection.topology.everything.bindings.map(\.destination) == [.queue(queue.name)])
            await connection.close()
        }
    }

    @Test func `is reported by the name that it had before the loss, however often it was named since`() async throws {
        let failing = ScriptedClient.script {
            $0.refusals = [.init(.basicConsume, code: 541, "INTERNAL_ERROR", closesConnection: true)]
        }
        try await ScriptedClient.run([ScriptedBroker.Script(), failing]) { client in
            let reports = Collected<RecoveryReport>()
            let stream = client.connection.events
            let listening = Task {
                for await event in stream {
                    if case .recovered(let report, _) = event { reports.add(report) }
                }
            }
            defer { listening.cancel() }
            let queue = try await client.channel.declareQueue(exclusive: true)
            try await queue.consume(.noAck) { _ in }
            let before = queue.name
            try client.broker.session.cut()
            try await eventually("it is told") { reports.count == 1 }
            #expect(client.broker.sessions.count == 3)
            #expect(queue.name != before)
            #expect(reports.all.map(\.renamed) == [[before: queue.name]])
        }
    }

    @Test func `is known by each name that it had, for as long as somebody holds it`() {
        let record = TopologyRecord()
        var identity: QueueIdentity? = QueueIdentity(Topology.Queue("a"), isServerNamed: true)
        record.add(identity!)
        #expect(record.currentName(of: "a") == nil)
        record.rename(identity!, to: "b")
        record.rename(identity!, to: "c")
        #expect(record.currentName(of: "a") == "c" && record.currentName(of: "b") == "c")
        #expect(record.currentName(of: "c") == nil)
        identity = nil
        #expect(record.currentName(of: "a") == nil)
    }

    @Test func `is known by the latest of its names only, and by none once it is deleted`() {
        let record = TopologyRecord()
        let identity = QueueIdentity(Topology.Queue("0"), isServerNamed: true)
        record.add(identity)
        let limit = TopologyRecord.formerNamesLimit
        for number in 1...3 * limit { record.rename(identity, to: "\(number)") }
        #expect(record.formerNamesCount == limit)
        #expect(record.currentName(of: "\(2 * limit)") == "\(3 * limit)")
        #expect(record.currentName(of: "\(2 * limit - 1)") == nil)
        record.removeQueue(identity.name)
        #expect(record.formerNamesCount == 0)
    }
}
