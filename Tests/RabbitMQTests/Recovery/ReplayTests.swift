import TestSupport
import Testing

@testable import RabbitMQ

@Suite("Bringing back what belonged to a connection", .timeLimit(.minutes(1)))
struct ReplayTests {
    @Test func `a replay that is not answered in time is tried again on another connection`() async throws {
        let script = ScriptedClient.script { $0.silent = [.queueDeclare] }
        try await ScriptedClient.run([ScriptedBroker.Script(), script], { $0.callTimeout = .seconds(1) }) {
            client in
            let deliveries = try await client.channel.declareQueue("q").consume()
            try client.broker.session.cut()
            try await client.waitForSession(3)
            let session = client.broker.sessions[1]
            try await eventually("the one before is closed") { session.peer.isEnded }
            try await client.waitForConsumers(1)
            try await client.broker.session.deliver("x", tag: 1, consumer: deliveries.consumer.tag)
            var messages = deliveries.makeAsyncIterator()
            #expect(try await messages.next()?.body == Array("x".utf8))
            try await client.channel.setQos(prefetchCount: 1)
            #expect(client.connection.state == .up)
        }
    }

    @Test func `what is refused for a while is declared at last, also if a try is not answered`() async throws {
        let locked = "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'"
        let script = ScriptedClient.script {
            // So often it is tried before the connection is there again.
            $0.refusals = (0..<6).map { _ in .init(.queueDeclare, "q", code: 405, locked) }
            $0.refusals.append(.init(.queueDeclare, "q", code: 0))
        }
        try await ScriptedClient.run([ScriptedBroker.Script(), script], { $0.callTimeout = .seconds(1) }) { client in
            try await client.channel.declareQueue("q", exclusive: true)
            try client.broker.session.cut()
            try await client.waitForSession(2)
            let session = try client.broker.session
            try await eventually("it is declared") { session.methods.filter { $0 == .queueDeclare }.count == 8 }
            #expect(client.broker.sessions.count == 2)
        }
    }

    @Test func `all channels that the broker allows come back, with what was declared`() async throws {
        try await ScriptedBroker.run(
            (0..<2).map { _ in ScriptedClient.script { $0.tune.channelMax = 2 } }
        ) { broker in
            let connection = try await Connection.connect(broker.configuration)
            let channels = [try await connection.openChannel(), try await connection.openChannel()]
            let queue = try await channels[0].declareQueue("q")
            try await queue.bind(to: channels[0].topicExchange, routingKey: "k")
            try broker.session.cut()
            try await eventually("it is there again", within: .seconds(5)) {
                broker.sessions.count == 2 && connection.state == .up
            }
            #expect(channels.allSatisfy { $0.isOpen })
            #expect(try broker.session.methods.filter { $0 == .queueDeclare || $0 == .queueBind }.count == 2)
            for channel in channels { try await channel.setQos(prefetchCount: 1) }
            await connection.close()
        }
    }

    @Test(arguments: 1...12) func `closing at each step of a replay ends all, and leaves no connection`(step: Int)
        async throws
    {
        let script = ScriptedClient.script { script in
            script.cutAtFrame = nil
            // From here on nothing is answered.
            script.stopsAtFrame = step
        }
        try await ScriptedClient.run([ScriptedBroker.Script(), script], { $0.closeTimeout = .milliseconds(200) }) {
            client in
            try await client.channel.setQos(prefetchCount: 1, global: true)
            let deliveries = try await client.channel.declareQueue("q").consume()
            try client.broker.session.cut()
            try await eventually("it is there") { client.broker.sessions.count == 2 }
            let session = try client.broker.session
            try? await eventually("the step", within: .milliseconds(300)) { session.frames.count >= step }
            try await within(.seconds(3), "closing") { [connection = client.connection] in await connection.close() }
            let ended = try await within(.seconds(5), "the end") { [connection = client.connection] in
                try await connection.closed
            }
            #expect(ended.kind == .closedByApplication)
            _ = try await thrownError { for try await _ in deliveries {} }
            // No sooner than that is it given up, were it not for the end of the connection.
            try await eventually("no socket is left", within: .seconds(4)) { session.peer.isEnded }
            #expect(client.broker.sessions.count == 2)
        }
    }

    @Test func `only its own bindings are made again with a queue that was waited for`() async throws {
        let locked = "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'late' in vhost '/'"
        // More often than what is declared at once is tried.
        let script = ScriptedClient.script {
            $0.refusals = (0..<8).map { _ in .init(.queueDeclare, "late", code: 405, locked) }
        }
        try await ScriptedClient.run([ScriptedBroker.Script(), script]) { client in
            let late = try await client.channel.declareQueue("late", exclusive: true)
            let other = try await client.channel.declareQueue("other")
            for queue in [late, other] { try await queue.bind(to: client.channel.topicExchange, routingKey: "k") }
            try client.broker.session.cut()
            try await client.waitForSession(2)
            let session = try client.broker.session
            try await eventually("it is bound") { session.methods.filter { $0 == .queueBind }.count >= 3 }
            // What is sent behind that is there by now, too.
            try await client.channel.setQos(prefetchCount: 1)
            #expect(session.methods.filter { $0 == .queueBind }.count == 3)
        }
    }
}
