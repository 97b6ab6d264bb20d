import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

/// A call, and the method it sends.
struct Call: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let method: PeerMethod
    let run: @Sendable (Channel, Queue, Exchange) async throws -> Void

    static let all: [Call] = [
        Call(testDescription: "declareQueue", method: .queueDeclare) { channel, _, _ in
            _ = try await channel.declareQueue("x")
        },
        Call(testDescription: "declareExchange", method: .exchangeDeclare) { channel, _, _ in
            _ = try await channel.declareExchange("x")
        },
        Call(testDescription: "setQos", method: .basicQos) { channel, _, _ in
            try await channel.setQos(prefetchCount: 1)
        },
        Call(testDescription: "bind", method: .queueBind) { _, queue, exchange in
            try await queue.bind(to: exchange, routingKey: "k")
        },
        Call(testDescription: "consume", method: .basicConsume) { _, queue, _ in _ = try await queue.consume() },
        Call(testDescription: "get", method: .basicGet) { _, queue, _ in _ = try await queue.get() },
        Call(testDescription: "purge", method: .queuePurge) { _, queue, _ in try await queue.purge() },
        Call(testDescription: "delete queue", method: .queueDelete) { _, queue, _ in try await queue.delete() },
        Call(testDescription: "delete exchange", method: .exchangeDelete) { _, _, exchange in
            try await exchange.delete()
        },
    ]
}

@Suite("calls whose peer does not play along", .timeLimit(.minutes(1)))
struct CallsTests {
    private func withCall(
        _ call: Call,
        configure: (inout ConnectionConfiguration) -> Void = { _ in },
        _ body: (ScriptedPeer, Channel, Task<Void, any Error>) async throws -> Void
    ) async throws {
        try await ScriptedPeer.withChannel(configure: configure) { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            let declaring = Task { try await channel.declareExchange("e") }
            try await peer.expect(.exchangeDeclare)
            try await peer.send(.exchangeDeclareOk)
            let exchange = try await declaring.value
            let running = Task { try await call.run(channel, queue, exchange) }
            try await peer.expect(call.method)
            try await body(peer, channel, running)
        }
    }

    @Test(arguments: Call.all)
    func `a peer that dies fails the call, and later ones, with connectionLost`(call: Call) async throws {
        try await withCall(call) { peer, channel, running in
            peer.hangUp()
            let error = try await thrownError { try await running.value }
            #expect(error.code == .connectionLost)
            let later = try await thrownError { try await channel.setQos() }
            #expect(later.code == .connectionLost)
        }
    }

    @Test(arguments: Call.all)
    func `a peer that never answers fails the call with timedOut, and the channel stays open`(call: Call) async throws {
        try await withCall(call) {
            $0.callTimeout = .seconds(3)
        } _: { peer, channel, running in
            let error = try await thrownError { try await running.value }
            #expect(error.code == .timedOut)
            #expect(channel.closeReason == nil)
        }
    }

    @Test(arguments: Call.all)
    func `a peer that closes the channel, or the connection, fails the call with its reason`(call: Call) async throws {
        try await withCall(call) { peer, channel, running in
            try await peer.sendClose(.channelClose, channel: 1, code: 405, text: "LOCKED", cause: call.method)
            try await peer.expect(.channelCloseOk, channel: 1)
            let error = try await thrownError { try await running.value }
            #expect(error.code == .resourceLocked)
            #expect(error.method == MethodID(classID: call.method.classID, methodID: call.method.methodID))
            let later = try await thrownError { try await channel.setQos() }
            #expect(later.code == .resourceLocked)
            #expect(channel.connection.closeReason == nil)
        }
        try await withCall(call) { peer, _, running in
            try await peer.sendClose(.connectionClose, channel: 0, code: 540, text: "NOT_IMPLEMENTED")
            let error = try await thrownError { try await running.value }
            #expect(error.code == .connectionClosed)
            #expect(error.replyCode == .notImplemented)
        }
    }

    @Test(arguments: Call.all)
    func `a caller that is cancelled gets a CancellationError, and the channel stays open`(call: Call) async throws {
        try await withCall(call) { peer, channel, running in
            running.cancel()
            let result = try await within(.seconds(10), "the end") { await running.result }
            #expect(throws: CancellationError.self) { try result.get() }
            #expect(channel.closeReason == nil)
        }
    }

    @Test func `replies stay in order though callers are gone`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            var calls: [Task<Int, any Error>] = []
            for _ in 0..<10 {
                calls.append(Task { try await queue.purge() })
                try await peer.expect(.queuePurge)
            }
            for index in [0, 3, 4, 8] {
                calls[index].cancel()
                _ = await calls[index].result
            }
            for number in 0..<10 { try await peer.send(.queuePurgeOk) { $0.long(UInt32(number)) } }
            for index in [1, 2, 5, 6, 7, 9] { #expect(try await calls[index].value == index) }
            #expect(connection.closeReason == nil)
        }
    }

    @Test func `a message for a caller that is gone goes back to its queue`() async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            let getting = Task { try await queue.get() }
            try await peer.expect(.basicGet)
            getting.cancel()
            _ = await getting.result
            try await peer.send(PeerFrame.gotten([1], tag: 1))
            var fields = try await peer.expect(.basicNack).fields
            #expect(fields.longLong() == 1)
            #expect(fields.octet() == 2)
        }
    }

    @Test func `a consumer whose caller is gone is cancelled, and what came goes back`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let consuming = Task { try await queue.consume() }
            let tag = try await peer.expectConsume()
            consuming.cancel()
            _ = await consuming.result
            try await peer.send(PeerFrame.delivery([1], tag: 1, consumer: tag))
            try await peer.send(.basicConsumeOk) { $0.shortString(tag) }
            var methods: Set<PeerMethod> = []
            for _ in 0..<2 {
                let frame = try await peer.next()
                methods.insert(try #require(frame.method))
            }
            #expect(methods == [.basicCancel, .basicNack])
            try await peer.send(.basicCancelOk) { $0.shortString(tag) }
            let purging = Task { try await queue.purge() }
            try await peer.expect(.queuePurge)
            try await peer.send(.queuePurgeOk) { $0.long(0) }
            #expect(try await purging.value == 0)
        }
    }

    @Test func `danger: a consumer that has not begun is not cancelled before it has`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let consuming = Task { try await queue.consume() }
            let tag = try await peer.expectConsume()
            consuming.cancel()
            await #expect(throws: CancellationError.self) { try await consuming.value }
            // Nothing but this call.
            try await peer.roundTrip(on: channel)
            #expect(peer.pendingFrames == [])
            try await peer.send(.basicConsumeOk) { $0.shortString(tag) }
            var fields = try await peer.expect(.basicCancel).fields
            #expect(fields.shortString() == tag)
            try await peer.send(.basicCancelOk) { $0.shortString(tag) }
            try await peer.roundTrip(on: channel)
            #expect(peer.pendingFrames == [] && connection.closeReason == nil)
        }
    }

    @Test func `a consumer that had ended by the time it begins is cancelled`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let consuming = Task { try await queue.consume() }
            let tag = try await peer.expectConsume()
            // As when it is taken up again, and that takes too long.
            let starting = channel.session.state.withLock { $0.startingConsumer(tag: tag) }
            let consumer = try #require(starting)
            consumer.end(AMQPError(.consumerCancelled, "the broker cancelled it"))
            consuming.cancel()
            _ = await consuming.result
            try await peer.send(.basicConsumeOk) { $0.shortString(tag) }
            var fields = try await peer.expect(.basicCancel).fields
            #expect(fields.shortString() == tag)
            try await peer.send(.basicCancelOk) { $0.shortString(tag) }
            try await peer.roundTrip(on: channel)
            #expect(peer.pendingFrames == [] && connection.closeReason == nil)
        }
    }

    @Test func `deliveries that overtake consume-ok are not lost`() async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            let consuming = Task { try await queue.consume() }
            let tag = try await peer.expectConsume()
            var frames = (1...3).flatMap { PeerFrame.delivery([UInt8($0)], tag: $0, consumer: tag) }
            frames.append(.method(.basicConsumeOk, channel: 1) { $0.shortString(tag) })
            frames += PeerFrame.delivery([4], tag: 4, consumer: tag)
            try await peer.send(frames)
            var seen: [UInt8] = []
            for try await message in try await consuming.value {
                seen += message.body
                if seen.count == 4 { break }
            }
            #expect(seen == [1, 2, 3, 4])
        }
    }

    @Test func `a message over the limit that comes while the connection closes changes nothing about that`()
        async throws
    {
        try await ScriptedPeer.withChannel {
            $0.maxMessageSize = 100
        } _: { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            let closing = Task { await connection.close() }
            try await peer.expect(.connectionClose, channel: 0)
            let deliver = PeerFrame.delivery([], tag: 1, consumer: deliveries.consumer.tag)[0]
            let body = PeerFrame.body(channel: 1, [1])
            try await peer.send([deliver, .header(channel: 1, bodySize: 101), body, body, deliver])
            try await peer.send(.connectionCloseOk, channel: 0)
            await closing.value
            #expect(try await connection.closed.kind == .closedByApplication)
            #expect(channel.closeReason?.code == .connectionClosed)
        }
    }

    @Test func `danger: a message over the limit closes its channel alone, whatever its header claims`() async throws {
        for size in [101, 8 << 30, .max] as [UInt64] {
            try await ScriptedPeer.withChannel {
                $0.maxMessageSize = 100
            } _: { peer, connection, channel in
                let other = try await peer.openChannel(on: connection, 2)
                let queue = try await peer.declareQueue(on: channel)
                let deliveries = try await peer.consume(queue)
                let tag = deliveries.consumer.tag
                try await peer.send(PeerFrame.delivery([UInt8](repeating: 1, count: 100), tag: 1, consumer: tag))
                let deliver = PeerFrame.delivery([], tag: 2, consumer: tag)[0]
                try await peer.send([deliver, .header(channel: 1, bodySize: size), .body(channel: 1, [1])])
                var close = try await peer.expect(.channelClose, channel: 1).fields
                #expect(close.short() == 311)
                // The rest of it is late.
                try await peer.send([.body(channel: 1, [2]), .method(.channelCloseOk, channel: 1)])
                let error = try await thrownError { for try await _ in deliveries {} }
                #expect(error.code == .contentTooLarge)
                #expect(channel.closeReason?.code == .contentTooLarge)
                let qos = Task { try await other.setQos() }
                try await peer.expect(.basicQos, channel: 2)
                try await peer.send(.basicQosOk, channel: 2)
                try await qos.value
            }
        }
    }
}
