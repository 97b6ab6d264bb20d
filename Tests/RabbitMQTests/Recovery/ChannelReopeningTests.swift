import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("Channels that are opened anew", .timeLimit(.minutes(1)))
struct ChannelReopeningTests {
    static let passing: [(UInt16, String)] = [
        (406, "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: 60000 ms."),
        (404, "NOT_FOUND - home node 'rabbit@a' of durable queue 'q' in vhost '/' is down or inaccessible"),
        (403, "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use"),
    ]

    @Test(arguments: passing) func `one that is closed for a reason that passes comes back with its consumers`(
        code: UInt16,
        text: String
    ) async throws {
        try await ScriptedClient.run { client in
            let session = try client.broker.session
            try await client.channel.selectConfirms()
            let queue = try await client.channel.declareQueue("q")
            let deliveries = try await queue.consume()
            var messages = deliveries.makeAsyncIterator()
            try await session.deliver("1", tag: 1, consumer: deliveries.consumer.tag)
            let first = try #require(try await messages.next())
            try await client.closeChannel(code, text)
            try await eventually("it is noticed") { first.isStale }
            try first.ack()
            try await eventually("it consumes again") { session.consumers.count == 2 }
            #expect(client.broker.sessions.count == 1)
            let receipt = try await queue.publish(Message("x"))
            try await receipt.confirmed()
            let number = UInt16(client.channel.number)
            try await session.deliver("2", tag: 1, consumer: deliveries.consumer.tag, channel: number)
            let second = try #require(try await messages.next())
            #expect(second.body == Array("2".utf8))
            try second.ack()
            try await eventually("it is settled") { session.settled.count == 1 }
            #expect(client.connection.statistics.staleSettlements == 1)
        }
    }

    @Test func `one that is closed for a reason that lasts ends`() async throws {
        try await ScriptedClient.run { client in
            let deliveries = try await client.channel.declareQueue("q").consume()
            try await client.closeChannel(404, "NOT_FOUND - no queue 'x' in vhost '/'")
            let reason = try await within(.seconds(5), "its end") { [channel = client.channel] in
                try await channel.closed
            }
            #expect(reason.code == .notFound)
            await #expect(throws: AMQPError.self) { for try await _ in deliveries {} }
            #expect(client.connection.state == .up)
        }
    }

    @Test func `a consumer whose queue is gone ends, and the channel with its other consumers goes on`() async throws {
        let scripts = [
            ScriptedBroker.Script(),
            ScriptedClient.script {
                // Once with the others, once when they are begun one by one, to see which it is.
                let refusal = ScriptedBroker.Refusal(
                    .basicConsume,
                    "gone",
                    code: 404,
                    "NOT_FOUND - no queue 'gone' in vhost '/'"
                )
                $0.refusals = [refusal, refusal]
            },
        ]
        try await ScriptedClient.run(scripts, { $0.recovery.topology = { _ in .leave } }) { client in
            let kept = try await client.channel.declareQueue("kept").consume()
            let gone = try await client.channel.declareQueue("gone").consume()
            let later = try await client.channel.declareQueue("later").consume()
            try client.broker.session.cut()
            try await client.waitForSession(2)
            let session = try client.broker.session
            try await eventually("two consume") { session.consumers.suffix(2).map(\.queue) == ["kept", "later"] }
            let error = await #expect(throws: AMQPError.self) { for try await _ in gone {} }
            #expect(error?.code == .notFound)
            #expect(client.channel.isOpen && !kept.consumer.isCancelling && !later.consumer.isCancelling)
            try await client.channel.setQos(prefetchCount: 1)
            let number = UInt16(client.channel.number)
            try await session.deliver("x", tag: 1, consumer: later.consumer.tag, channel: number)
            var messages = later.makeAsyncIterator()
            #expect(try await messages.next()?.body == Array("x".utf8))
            // One that is set up anew is not set up twice.
            try await Task.sleep(for: .milliseconds(50))
            #expect(session.consumers.map(\.queue).filter { $0 == "later" }.count <= 2)
            #expect(client.channel.core.session.number == number)
        }
    }

    @Test(arguments: [false, true]) func `a consumer that fits into no frame any more ends, and the others go on`(
        isOneByOne: Bool
    ) async throws {
        let script = ScriptedClient.script {
            $0.tune.frameMax = 4096
            let text = "NOT_FOUND - no queue 'gone' in vhost '/'"
            if isOneByOne { $0.refusals = [ScriptedBroker.Refusal(.basicConsume, "gone", code: 404, text)] }
        }
        try await ScriptedClient.run([ScriptedBroker.Script(), script]) { client in
            let kept = try await client.channel.declareQueue("kept").consume()
            let gone = try await client.channel.declareQueue("gone").consume()
            let large = try await client.channel.declareQueue("large").consume(
                ConsumerOptions(arguments: ["x-note": .string(String(repeating: "n", count: 5000))])
            )
            let later = try await client.channel.declareQueue("later").consume()
            try client.broker.session.cut()
            let reason = try await within(.seconds(10), "its end") { [consumer = large.consumer] in
                try await consumer.ended
            }
            #expect(reason?.code == .invalidArgument)
            try await client.waitForSession(2)
            let session = try client.broker.session
            // Refused once, the one in between begins when it is tried alone.
            try await eventually("the others consume") {
                session.consumers.suffix(3).map(\.queue) == ["kept", "gone", "later"] && !client.channel.core.isWaiting
            }
            try await client.channel.setQos(prefetchCount: 1)
            let number = UInt16(client.channel.number)
            try await session.deliver("x", tag: 1, consumer: later.consumer.tag, channel: number)
            var messages = later.makeAsyncIterator()
            let message = try #require(try await messages.next())
            #expect(message.body == Array("x".utf8))
            #expect(client.broker.sessions.count == 2)
            withExtendedLifetime((kept, gone, large)) {}
        }
    }

    @Test func `a queue that its old owner still has is waited for, and its consumer with it`() async throws {
        let locked = "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'"
        let script = ScriptedClient.script {
            $0.refusals = (0..<8).map { _ in .init(.queueDeclare, "q", code: 405, locked) }
            // At last the owner has gone, and the queue with it, before it could be declared.
            $0.refusals += [
                .init(.basicConsume, "q", code: 405, locked),
                .init(.basicConsume, "q", code: 404, "NOT_FOUND - no queue 'q' in vhost '/'"),
            ]
        }
        try await ScriptedClient.run([ScriptedBroker.Script(), script]) { client in
            let queue = try await client.channel.declareQueue("q", exclusive: true)
            try await queue.bind(to: client.channel.topicExchange, routingKey: "k")
            let deliveries = try await queue.consume()
            try client.broker.session.cut()
            try await client.waitForSession(2)
            let session = try client.broker.session
            try await eventually("it consumes") { !session.consumers.isEmpty && !client.channel.core.isWaiting }
            try await eventually("it is declared and bound") {
                session.methods.filter { $0 == .queueDeclare }.count == 9
                    && session.methods.contains(.queueBind)
            }
            #expect(!deliveries.consumer.isCancelling)
            #expect(client.broker.sessions.count == 2)
        }
    }

    @Test func `a queue that went with its last consumer is declared again before that comes back`() async throws {
        try await ScriptedClient.run { client in
            let queue = try await client.channel.declareQueue("q", autoDelete: true)
            try await queue.bind(to: client.channel.topicExchange, routingKey: "k")
            let deliveries = try await queue.consume()
            let session = try client.broker.session
            session.refuse(.init(.queueDeclare, "q", code: 404, "NOT_FOUND - no queue 'q' in vhost '/'"))
            try await client.closeChannel(Self.passing[0].0, Self.passing[0].1)
            try await eventually("it consumes again") { session.consumers.count == 2 }
            let methods = session.methods.filter {
                [.queueDeclare, .queueBind, .basicConsume].contains($0)
            }
            // The second declaration is passive, and refused.
            #expect(
                methods == [
                    .queueDeclare, .queueBind, .basicConsume, .queueDeclare, .queueDeclare, .queueBind, .basicConsume,
                ]
            )
            withExtendedLifetime(deliveries) {}
        }
    }

    @Test func `a channel that a replay can't bring back yet comes later, the others at once`() async throws {
        let script = ScriptedClient.script {
            $0.refusals = [
                .init(.basicConsume, "q", code: 403, "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use")
            ]
        }
        try await ScriptedClient.run([ScriptedBroker.Script(), script]) { client in
            let other = try await client.connection.openChannel()
            let kept = try await other.declareQueue("kept").consume()
            let deliveries = try await client.channel.declareQueue("q").consume()
            try client.broker.session.cut()
            try await client.waitForSession(2)
            let session = try client.broker.session
            try await eventually("both consume") { Set(session.consumers.map(\.queue)) == ["kept", "q"] }
            try await client.channel.setQos(prefetchCount: 1)
            try await other.setQos(prefetchCount: 1)
            #expect(client.broker.sessions.count == 2)
            withExtendedLifetime((kept, deliveries)) {}
        }
    }

    @Test func `an answer that comes too late for a session that was given up ends nothing`() async throws {
        let script = ScriptedClient.script { $0.refusals = [.init(.basicConsume, "late", code: 0)] }
        try await ScriptedClient.run([ScriptedBroker.Script(), script], { $0.callTimeout = .seconds(1) }) { client in
            let kept = try await client.channel.declareQueue("kept").consume()
            let late = try await client.channel.declareQueue("late").consume()
            try client.broker.session.cut()
            try await client.waitForSession(2)
            let session = try client.broker.session
            try await eventually("they consume") { session.consumers.suffix(2).map(\.queue) == ["kept", "late"] }
            // Behind what was given up: the channel is closed there, and this is for nobody.
            #expect(session.methods.contains(.channelClose))
            try await client.channel.setQos(prefetchCount: 1)
            #expect(!kept.consumer.isCancelling && !late.consumer.isCancelling && client.channel.isOpen)
            let number = UInt16(client.channel.number)
            try await session.deliver("x", tag: 1, consumer: kept.consumer.tag, channel: number)
            var messages = kept.makeAsyncIterator()
            let message = try #require(try await messages.next())
            #expect(message.body == Array("x".utf8) && !message.isStale)
            try message.ack()
            try await eventually("it is settled") { session.settled.map(\.channel) == [number] }
            #expect(client.broker.sessions.count == 2)
            withExtendedLifetime(late) {}
        }
    }

    @Test func `one who opens it again and is cancelled leaves it to others who wait for it`() async throws {
        try await ScriptedClient.run { client in
            let (core, session) = (client.channel.core, try client.broker.session)
            try await client.closeChannel(404, "NOT_FOUND - no queue 'x' in vhost '/'")
            try await eventually("it has ended") { !client.channel.isOpen }
            session.refuse(.init(.channelOpen, code: 0))
            let first = Task { try await client.channel.reopen() }
            try await eventually("it is asked") { session.methods.filter { $0 == .channelOpen }.count == 2 }
            let second = Task { try await client.channel.reopen() }
            try await eventually("another waits") { core.state.withLock { $0.waiters.count == 1 } }
            first.cancel()
            await #expect(throws: CancellationError.self) { try await first.value }
            try await within(.seconds(10), "it is open") { try await second.value }
            try await client.channel.setQos(prefetchCount: 1)
            #expect(client.channel.isOpen && client.broker.sessions.count == 1)
        }
    }

    @Test func `one who opens it again in no time leaves it to others who have more`() async throws {
        try await ScriptedClient.run { client in
            let session = try client.broker.session
            try await client.closeChannel(404, "NOT_FOUND - no queue 'x' in vhost '/'")
            try await eventually("it has ended") { !client.channel.isOpen }
            session.refuse(.init(.channelOpen, code: 0))
            let first = Task { try await withCallTimeout(.seconds(1)) { try await client.channel.reopen() } }
            try await eventually("it is asked") { session.methods.filter { $0 == .channelOpen }.count == 2 }
            let second = Task { try await client.channel.reopen() }
            #expect(try await thrownError { try await first.value }.code == .timedOut)
            try await within(.seconds(10), "it is open") { try await second.value }
            try await client.channel.setQos(prefetchCount: 1)
            #expect(client.channel.isOpen)
        }
    }

    @Test func `a channel whose opening is lost is opened on the next link`() async throws {
        let script = ScriptedClient.script { $0.cutAtFrame = 4 }
        try await ScriptedBroker.run([script]) { broker in
            let connection = try await Connection.connect(broker.configuration)
            let channel = try await connection.openChannel()
            #expect(channel.isOpen && broker.sessions.count == 2)
            try await channel.setQos(prefetchCount: 1)
            await connection.close()
        }
    }

    @Test(arguments: 0..<30) func `closing just as the link is lost closes`(_: Int) async throws {
        try await ScriptedBroker.run { broker in
            let connection = try await Connection.connect(broker.configuration)
            let channel = try await connection.openChannel()
            let session = try broker.session
            async let cut: Void = session.cut()
            async let closed: Void = connection.close()
            _ = await (cut, closed)
            #expect(connection.state == .closed && !channel.isOpen)
            let reason = try await within(.seconds(5), "the end") { try await connection.closed }
            #expect(reason.kind == .closedByApplication)
            let count = broker.sessions.count
            try await Task.sleep(for: .milliseconds(30))
            #expect(broker.sessions.count <= max(count, 2) && connection.state == .closed)
        }
    }
}
