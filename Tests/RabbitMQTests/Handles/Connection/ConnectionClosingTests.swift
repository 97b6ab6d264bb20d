import Dispatch
import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("closing a connection", .timeLimit(.minutes(1)))
struct ConnectionClosingTests {
    @Test func `acknowledgements go out before connection.close`() async throws {
        try await ScriptedPeer.withChannel(sendBuffer: 4096) { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let exchange = try await channel.declareExchange("")
            let deliveries = try await peer.consume(queue)
            let tag = deliveries.consumer.tag
            try await peer.send((1...3).flatMap { PeerFrame.delivery([1], tag: $0, consumer: tag) })
            var iterator = deliveries.makeAsyncIterator()
            var messages: [IncomingMessage] = []
            for _ in 1...3 { messages.append(try #require(try await iterator.next())) }
            // The socket is full, so that the acknowledgements wait to be written.
            peer.pauseReading()
            try await exchange.publish(Message(body: [UInt8](repeating: 1, count: 256 * 1024)), routingKey: "q")
            try await eventually("the socket is full") { await connection.link.writing.isAwaitingRoom }
            for message in messages { try message.ack() }
            async let closing: Void = connection.close()
            try await eventually("the close has begun") {
                connection.link.outbox.state.withLock { $0.ending?.stage == .concluded }
            }
            peer.resumeReading()
            _ = try await peer.expectPublish()
            var ack = try await peer.expect(.basicAck, channel: 1).fields
            #expect(ack.longLong() == 3)
            #expect(ack.octet() == 1)
            try await peer.expectClose()
            await closing
        }
    }

    @Test func `acknowledgements go out though whoever gave the first has not told so yet`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            let tag = deliveries.consumer.tag
            try await peer.send((1...3).flatMap { PeerFrame.delivery([1], tag: $0, consumer: tag) })
            var iterator = deliveries.makeAsyncIterator()
            var messages: [IncomingMessage] = []
            for _ in 1...3 { messages.append(try #require(try await iterator.next())) }
            // As far as another thread may have come with it.
            channel.core.session.state.withLock { _ = $0.settlements.acknowledge(1, multiple: false) }
            try channel.core.session.acknowledge(2, multiple: false)
            async let closing: Void = connection.close()
            var ack = try await peer.expect(.basicAck, channel: 1).fields
            #expect(ack.longLong() == 2)
            #expect(ack.octet() == 1)
            try await peer.expect(.connectionClose, channel: 0)
            let error = #expect(throws: AMQPError.self) { try channel.core.session.acknowledge(3, multiple: false) }
            #expect(error?.code == .staleDelivery)
            #expect(messages.count == 3)
            try await peer.send(.connectionCloseOk, channel: 0)
            await closing
        }
    }

    @Test func `what is settled while the connection closes is not passed over in silence`() async throws {
        let script = ScriptedClient.script { $0.silent = [.connectionClose] }
        try await ScriptedClient.run([script], { $0.closeTimeout = .seconds(2) }) { client in
            let deliveries = try await client.channel.declareQueue("q").consume()
            let session = try client.broker.session
            for tag: UInt64 in 1...2 { try await session.deliver("x", tag: tag, consumer: deliveries.consumer.tag) }
            var messages = deliveries.makeAsyncIterator()
            let first = try #require(try await messages.next())
            let second = try #require(try await messages.next())
            let connection = client.connection
            let closing = Task { await connection.close() }
            try await eventually("it closes") { session.methods.contains(.connectionClose) }
            #expect(connection.isOpen)
            let acknowledging = #expect(throws: AMQPError.self) { try first.ack() }
            #expect(acknowledging?.code == .staleDelivery)
            let rejecting = #expect(throws: AMQPError.self) { try second.reject() }
            #expect(rejecting?.code == .staleDelivery)
            await closing.value
        }
    }

    @Test func `nothing follows connection.close while many tasks publish`() async throws {
        for _ in 0..<10 {
            try await ScriptedPeer.withChannel { peer, connection, channel in
                let exchange = try await channel.declareExchange("")
                let message = try Message("load")
                let publishing = Task {
                    await withTaskGroup(of: Void.self) { group in
                        for _ in 0..<8 {
                            group.addTask {
                                while (try? await exchange.publish(message, routingKey: "q")) != nil {
                                    await Task.yield()
                                }
                            }
                        }
                    }
                }
                for _ in 0..<20 { _ = try await peer.expectPublish() }
                async let closing: Void = connection.close()
                while try await peer.next().method != .connectionClose {}
                try await within(.seconds(10), "the publishers' end") { await publishing.value }
                try await peer.send(.connectionCloseOk, channel: 0)
                await closing
                #expect(try await peer.expectEnd() == [])
            }
        }
    }

    @Test func `both sides close at once`() async throws {
        try await ScriptedPeer.withConnection { peer, connection in
            async let closing: Void = connection.close()
            try await peer.expect(.connectionClose, channel: 0)
            try await peer.sendClose(.connectionClose, channel: 0, code: 320, text: "going down")
            await closing
            try await peer.expect(.connectionCloseOk, channel: 0)
            try await peer.expectEnd()
            #expect(connection.closeReason?.kind == .closedByApplication)
        }
    }

    @Test func `a peer that hangs up instead of answering ends the close as the application's`() async throws {
        try await ScriptedPeer.withConnection { peer, connection in
            async let closing: Void = connection.close()
            try await peer.expect(.connectionClose, channel: 0)
            peer.hangUp()
            await closing
            #expect(connection.closeReason?.kind == .closedByApplication)
        }
    }

    @Test func `close returns within its deadline when the peer never answers, also twice`() async throws {
        try await ScriptedPeer.withConnection { configuration in
            configuration.closeTimeout = .milliseconds(200)
        } _: { peer, connection in
            try await within(.seconds(10), "close") {
                async let first: Void = connection.close()
                async let second: Void = connection.close()
                _ = await (first, second)
            }
            await connection.close()
            #expect(connection.closeReason?.kind == .closedByApplication)
            let frames = try await peer.expectEnd()
            #expect(frames.map(\.method) == [.connectionClose])
        }
    }

    @Test func `calls on their way fail when the connection is closed`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let call = Task { try await channel.declareQueue("q") }
            try await peer.expect(.queueDeclare)
            async let closing: Void = connection.close()
            try await peer.expectClose()
            await closing
            let error = try await thrownError { try await call.value }
            #expect(error.code == .connectionClosed)
            let later = try await thrownError { try await connection.openChannel() }
            #expect(later.code == .connectionClosed)
        }
    }

    @Test func `a consumer that nobody reads does not hold up close`() async throws {
        try await ScriptedPeer.withChannel { configuration in
            configuration.inboundHighWater = 64 * 1024
        } _: { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue, noAck: true)
            let body = [UInt8](repeating: 7, count: 16 * 1024)
            for tag in 1...10 as ClosedRange<UInt64> {
                try await peer.send(PeerFrame.delivery(body, tag: tag, consumer: deliveries.consumer.tag))
            }
            try await eventually("reading pauses") { await connection.link.reading.isPaused }
            let start = ContinuousClock.now
            async let closing: Void = connection.close()
            try await peer.expectClose()
            await closing
            #expect(ContinuousClock.now - start < .seconds(3))
        }
    }

    @Test func `the peer's last words count, though it has hung up when they are answered`() async throws {
        try await ScriptedPeer.withConnection { peer, connection in
            let gate = DispatchSemaphore(value: 0)
            connection.link.onQueue { _ in gate.wait() }
            try await peer.sendClose(.connectionClose, channel: 0, code: 320, text: "shutdown")
            peer.hangUp()
            gate.signal()
            let reason = try await within(.seconds(10), "the end") { try await connection.closed }
            #expect(reason.kind == .closedByServer)
            #expect(reason.replyCode == .connectionForced)
            #expect(reason.replyText == "shutdown")
        }
    }

    @Test func `the peer's last words count, though a write fails first`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let exchange = try await channel.declareExchange("")
            let gate = DispatchSemaphore(value: 0)
            connection.link.onQueue { _ in gate.wait() }
            // Its flush stands before whatever is read.
            try await exchange.publish(Message("lost"), routingKey: "q")
            try await peer.sendClose(.connectionClose, channel: 0, code: 320, text: "shutdown")
            peer.hangUp()
            gate.signal()
            let reason = try await within(.seconds(10), "the end") { try await connection.closed }
            #expect(reason.kind == .closedByServer)
            #expect(reason.replyText == "shutdown")
        }
    }

    @Test(arguments: [0, 100, 300 * 1024])
    func `a hang-up that comes together with the last bytes is noticed`(count: Int) async throws {
        try await ScriptedPeer.withConnection { peer, connection in
            let gate = DispatchSemaphore(value: 0)
            connection.link.onQueue { _ in gate.wait() }
            async let sending: Void = peer.send([PeerFrame](repeating: .heartbeat, count: count / 8))
            if count < 1000 { try await sending } else { gate.signal(); try await sending }
            peer.hangUp()
            gate.signal()
            let reason = try await within(.seconds(10), "the end") { try await connection.closed }
            #expect(reason.kind == .lost)
        }
    }

    @Test func `the reason of the server reaches every waiter, and every later call`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let call = Task { try await channel.declareQueue("q") }
            try await peer.expect(.queueDeclare)
            try await peer.sendClose(
                .connectionClose,
                channel: 0,
                code: 541,
                text: "broken",
                cause: .queueDeclare
            )
            try await peer.expect(.connectionCloseOk, channel: 0)
            let error = try await thrownError { try await call.value }
            #expect(error.code == .connectionClosed)
            #expect(error.replyCode == .internalError)
            #expect(error.replyText == "broken")
            #expect(error.method?.name == "queue.declare")
            let later = try await thrownError { try await channel.declareQueue("q") }
            #expect(later.replyCode == .internalError)
        }
    }
}
