import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

/// What is lost while a connection is shut down stands in the report.
@Suite("What a shutdown loses", .timeLimit(.minutes(1)))
struct ShutdownLossTests {
    @Test func `deliveries that were not settled when the connection is lost are reported`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            let tag = deliveries.consumer.tag
            try await peer.send((1...2).flatMap { PeerFrame.delivery([1], tag: $0, consumer: tag) })
            var iterator = deliveries.makeAsyncIterator()
            var messages: [IncomingMessage] = []
            for _ in 1...2 { messages.append(try #require(try await iterator.next())) }
            let shutdown = Task { await connection.shutdown(within: .seconds(60)) }
            try await peer.expect(.basicCancel, channel: 1)
            peer.hangUp()
            let report = try await within(.seconds(20), "the end") { await shutdown.value }
            #expect(report.unsettled == messages.count)
            #expect(report.wasLost)
            #expect(!report.isComplete)
        }
    }

    @Test(arguments: [false, true]) func `messages whose outcome nobody will know are reported`(
        isMadeAgain: Bool
    ) async throws {
        let script = ScriptedClient.script { $0.confirms = false }
        try await ScriptedClient.run([script], { if !isMadeAgain { $0.recovery = .none } }) { client in
            try await client.channel.selectConfirms()
            for _ in 1...3 { try await client.channel.defaultExchange.publish(Message("x"), routingKey: "k") }
            let session = try client.broker.session
            try await eventually("they are there") { session.published.count == 3 }
            let (connection, core) = (client.connection, client.channel.core)
            let shutdown = Task { await connection.shutdown(within: .seconds(60)) }
            try await eventually("it waits") { core.session.state.withLock { $0.rest.isAwaited } }
            session.cut()
            let report = try await within(.seconds(20), "the end") { await shutdown.value }
            #expect(report.unconfirmed == 3)
            #expect(report.wasLost)
            #expect(!report.isComplete)
        }
    }

    @Test func `an acknowledgement goes out though whoever gives it has not told so yet`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            let tag = deliveries.consumer.tag
            try await peer.send(PeerFrame.delivery([1], tag: 1, consumer: tag))
            var iterator = deliveries.makeAsyncIterator()
            _ = try #require(try await iterator.next())
            let shutdown = Task { await connection.shutdown(within: .seconds(60)) }
            try await peer.expect(.basicCancel, channel: 1)
            // As far as another thread may have come with it.
            channel.core.session.state.withLock { _ = $0.settlements.acknowledge(1, multiple: false) }
            try await peer.send(.basicCancelOk) { $0.shortString(tag) }
            var ack = try await peer.expect(.basicAck, channel: 1).fields
            #expect(ack.longLong() == 1)
            try await peer.expectClose()
            let report = try await within(.seconds(20), "the end") { await shutdown.value }
            #expect(report.isComplete)
        }
    }

    @Test func `what is recovered is not waited for`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            let tag = deliveries.consumer.tag
            try await peer.send(PeerFrame.delivery([1], tag: 1, consumer: tag))
            var iterator = deliveries.makeAsyncIterator()
            _ = try #require(try await iterator.next())
            let shutdown = Task { await connection.shutdown(within: .seconds(60)) }
            try await peer.expect(.basicCancel, channel: 1)
            try await peer.send(.basicCancelOk) { $0.shortString(tag) }
            let session = channel.core.session
            try await eventually("it waits") { session.state.withLock { $0.rest.isAwaited } }
            let recovering = Task { try await channel.recover() }
            try await peer.expect(PeerMethod(60, 110))
            try await peer.send([PeerFrame.method(PeerMethod(60, 111), channel: 1)])
            try await recovering.value
            try await peer.expectClose()
            let report = try await within(.seconds(20), "the end") { await shutdown.value }
            #expect(report.isComplete)
        }
    }

    @Test func `a broker that does not answer is told from one that does`() async throws {
        try await ScriptedPeer.withConnection(configure: { $0.closeTimeout = .milliseconds(50) }) { peer, connection in
            let report = try await within(.seconds(20), "the end") { await connection.shutdown(within: .seconds(5)) }
            #expect(report.wasLost)
            #expect(report.unsettled == 0 && report.unconfirmed == 0)
        }
        try await ScriptedPeer.withConnection { peer, connection in
            let shutdown = Task { await connection.shutdown(within: .seconds(60)) }
            try await peer.expectClose()
            #expect(try await within(.seconds(20), "the end") { await shutdown.value }.isComplete)
        }
    }

    @Test func `callbacks of a consumer that was cancelled just before are waited for`() async throws {
        try await ScriptedClient.run { client in
            let queue = try await client.channel.declareQueue("q")
            let begun = Broadcast<Void>()
            let gate = Broadcast<Void>()
            let isDone = Mutex(false)
            let consumer = try await queue.consume(.noAck) { _ in
                begun.set(())
                try await gate.wait()
                isDone.withLock { $0 = true }
            }
            try await client.broker.session.deliver("x", tag: 1, consumer: consumer.tag)
            try await begun.wait()
            try await consumer.cancel()
            let connection = client.connection
            let shutdown = Task { await connection.shutdown(within: .seconds(60)) }
            try await eventually("it waits") { consumer.callbacksReturned.isAwaited }
            #expect(connection.isOpen)
            gate.set(())
            let report = try await within(.seconds(20), "the end") { await shutdown.value }
            #expect(report.isComplete)
            #expect(isDone.withLock { $0 })
        }
    }

    @Test(arguments: [1, 3], [false, true]) func `a callback that shuts the connection down does not wait for itself`(
        maxConcurrency: Int,
        acks: Bool
    ) async throws {
        try await ScriptedClient.run { client in
            let queue = try await client.channel.declareQueue("q")
            let connection = client.connection
            let ended = Broadcast<ShutdownReport>()
            let consumer = try await queue.consume(maxConcurrency: maxConcurrency) { message in
                if acks { try message.ack() }
                ended.set(await connection.shutdown(within: .seconds(60)))
            }
            try await client.broker.session.deliver("x", tag: 1, consumer: consumer.tag)
            let report = try await within(.seconds(20), "the end") { try await ended.wait() }
            #expect(report.unsettled == (acks ? 0 : 1) && report.isComplete == acks)
            try await within(.seconds(20), "the callback's return") { try await consumer.callbacksReturned.wait() }
        }
    }

    @Test(arguments: [1, 3]) func `a callback that shuts down does not wait for the one that has called it`(
        maxConcurrency: Int
    ) async throws {
        try await ScriptedClient.run { client in
            let connection = client.connection
            let ended = Broadcast<ShutdownReport>()
            let inner = try await client.channel.declareQueue("inner").consume()
            let outer = try await client.channel.declareQueue("outer").consume { _ in
                try await inner.process(maxConcurrency: maxConcurrency) { _ in
                    ended.set(await connection.shutdown(within: .seconds(60)))
                }
            }
            let session = try client.broker.session
            try await session.deliver("x", tag: 1, consumer: outer.tag)
            try await session.deliver("y", tag: 2, consumer: inner.consumer.tag)
            let report = try await within(.seconds(20), "the end") { try await ended.wait() }
            #expect(report.unsettled == 2 && !report.isComplete)
            try await within(.seconds(20), "the callback's return") { try await outer.callbacksReturned.wait() }
        }
    }

    @Test func `a callback whose message went with its session waits for another message with that tag`() async throws {
        try await ScriptedClient.run { client in
            let connection = client.connection
            let (begun, goesOn, ended) = (Broadcast<Void>(), Broadcast<Void>(), Broadcast<ShutdownReport>())
            let outer = try await client.channel.declareQueue("outer").consume { _ in
                begun.set(())
                try await goesOn.wait()
                ended.set(await connection.shutdown(within: .seconds(60)))
            }
            let deliveries = try await client.channel.declareQueue("q").consume()
            try await client.broker.session.deliver("x", tag: 1, consumer: outer.tag)
            try await begun.wait()
            try client.broker.session.cut()
            try await client.waitForSession(2)
            let session = client.channel.core.session
            try await client.broker.session.deliver(
                "y",
                tag: 1,
                consumer: deliveries.consumer.tag,
                channel: session.number
            )
            var messages = deliveries.makeAsyncIterator()
            let message = try #require(try await messages.next())
            goesOn.set(())
            try await eventually("it waits") { session.state.withLock { $0.rest.isAwaited } }
            try message.ack()
            let report = try await within(.seconds(20), "the end") { try await ended.wait() }
            #expect(report.unsettled == 0)
        }
    }

    @Test func `a task that a callback begins to shut the connection down waits for the callback`() async throws {
        try await ScriptedClient.run { client in
            let queue = try await client.channel.declareQueue("q")
            let connection = client.connection
            let gate = Broadcast<Void>()
            let ended = Broadcast<ShutdownReport>()
            let consumer = try await queue.consume { message in
                Task { ended.set(await connection.shutdown(within: .seconds(60))) }
                try await gate.wait()
                try message.ack()
            }
            let session = try client.broker.session
            try await session.deliver("x", tag: 1, consumer: consumer.tag)
            try await eventually("it waits") { consumer.callbacksReturned.isAwaited }
            #expect(connection.isOpen)
            gate.set(())
            let report = try await within(.seconds(20), "the end") { try await ended.wait() }
            #expect(report.isComplete)
            #expect(session.settled.map(\.tag) == [1])
        }
    }

    @Test func `a consumer that comes to nothing is not waited for`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let consuming = Task { try await queue.consume { _ in } }
            let tag = try await peer.expectConsume()
            let shutdown = Task { await connection.shutdown(within: .seconds(60)) }
            try await eventually("its intake ends") { channel.core.state.withLock { $0.subscriptions.isEmpty } }
            consuming.cancel()
            await #expect(throws: CancellationError.self) { try await consuming.value }
            try await peer.send(.basicConsumeOk) { $0.shortString(tag) }
            try await peer.expect(.basicCancel, channel: 1)
            try await peer.send(.basicCancelOk) { $0.shortString(tag) }
            try await peer.expectClose()
            let report = try await within(.seconds(20), "the end") { await shutdown.value }
            #expect(report.isComplete)
        }
    }

    @Test func `a publisher that never stops is waited for no longer than what was there before`() async throws {
        try await ScriptedClient.run { client in
            try await client.channel.selectConfirms()
            let (connection, exchange) = (client.connection, client.channel.defaultExchange)
            let publishing = Task {
                while (try? await exchange.publish(Message("x"), routingKey: "k")) != nil { await Task.yield() }
            }
            let session = try client.broker.session
            try await eventually("it publishes") { !session.published.isEmpty }
            _ = try await within(.seconds(20), "the end") { await connection.shutdown(within: .seconds(60)) }
            #expect(!connection.isOpen)
            try await within(.seconds(20), "the publisher's end") { await publishing.value }
        }
    }

    @Test func `what is published behind the messages that are waited for is not`() async throws {
        let script = ScriptedClient.script { $0.confirms = false }
        try await ScriptedClient.run([script]) { client in
            try await client.channel.selectConfirms()
            let (connection, core, exchange) = (client.connection, client.channel.core, client.channel.defaultExchange)
            try await exchange.publish(Message("before"), routingKey: "k")
            let session = try client.broker.session
            try await eventually("it is there") { session.published.count == 1 }
            let shutdown = Task { await connection.shutdown(within: .seconds(60)) }
            try await eventually("it waits") { core.session.state.withLock { $0.rest.isAwaited } }
            try await exchange.publish(Message("behind"), routingKey: "k")
            try await eventually("that is there too") { session.published.count == 2 }
            try await session.peer.sendAck(1)
            let report = try await within(.seconds(20), "the end") { await shutdown.value }
            #expect(report.unconfirmed == 1 && !report.wasLost)
        }
    }

    @Test func `messages that are published again on another session are waited for there`() async throws {
        let script = ScriptedClient.script { $0.confirms = false }
        try await ScriptedClient.run([script], { $0.recovery.unconfirmed = .resend }) { client in
            try await client.channel.selectConfirms()
            let receipt = try await client.channel.defaultExchange.publish(Message("x"), routingKey: "k")
            let session = try client.broker.session
            try await eventually("it is there") { session.published.count == 1 }
            let (connection, core) = (client.connection, client.channel.core)
            let shutdown = Task { await connection.shutdown(within: .seconds(60)) }
            try await eventually("it waits") { core.session.state.withLock { $0.rest.isAwaited } }
            try await client.closeChannel(
                406,
                "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out"
            )
            try await eventually("it is published again, and waited for") {
                session.published.count == 2 && core.session.state.withLock { $0.rest.isAwaited }
            }
            try await session.confirmAll(channel: UInt16(client.channel.number))
            let report = try await within(.seconds(20), "the end") { await shutdown.value }
            #expect(report.isComplete)
            try await within(.seconds(20), "its outcome") { try await receipt.confirmed() }
        }
    }
}
