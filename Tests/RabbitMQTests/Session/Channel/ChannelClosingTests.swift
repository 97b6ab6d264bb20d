import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("closing a channel", .timeLimit(.minutes(1)))
struct ChannelClosingTests {
    @Test func `both sides close at once, and the number is free after both answers`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            async let closing: Void = channel.close()
            try await peer.expect(.channelClose, channel: 1)
            // The peer had closed it before it saw ours; it answers ours too (AMQP 0-9-1, section 1.5.2.5).
            try await peer.sendClose(.channelClose, channel: 1, code: 404, text: "no queue")
            try await peer.expect(.channelCloseOk, channel: 1)
            await closing
            let second = try await peer.openChannel(on: connection, 2)
            try await peer.send(.channelCloseOk, channel: 1)
            try await peer.roundTrip(on: second)
            _ = try await peer.openChannel(on: connection, 1)
            #expect(connection.closeReason == nil)
        }
    }

    @Test func `one that has ended before its connection knows it is not kept`() async throws {
        try await ScriptedClient.run { client in
            let (core, connection) = (client.channel.core, client.connection.core)
            await client.channel.close()
            #expect(core.hasEnded)
            connection.add(core)
            #expect(connection.state.withLock { $0.channels.isEmpty })
        }
    }

    @Test func `whoever waits for a channel's end learns why it has ended`() async throws {
        try await ScriptedPeer.withConnection { peer, connection in
            let byPeer = try await peer.openChannel(on: connection)
            let waiting = Task { try await byPeer.closed }
            try await peer.sendClose(.channelClose, channel: 1, code: 404, text: "no queue")
            try await peer.expect(.channelCloseOk, channel: 1)
            #expect(try await within(.seconds(10), "the end") { try await waiting.value }.code == .notFound)
            #expect(try await byPeer.closed.replyText == "no queue")
            let byUs = try await peer.openChannel(on: connection, 1)
            async let closing: Void = byUs.close()
            try await peer.expect(.channelClose, channel: 1)
            try await peer.send(.channelCloseOk, channel: 1)
            await closing
            #expect(try await byUs.closed.code == .channelClosed)
            let lost = try await peer.openChannel(on: connection, 1)
            let cancelled = Task { try await lost.closed }
            cancelled.cancel()
            await #expect(throws: CancellationError.self) { try await cancelled.value }
            #expect(lost.closeReason == nil)
            peer.hangUp()
            #expect(try await within(.seconds(10), "the end") { try await lost.closed }.code == .connectionLost)
        }
    }

    @Test func `a consumer ends even if the broker never answers channel.close`() async throws {
        try await ScriptedPeer.withChannel { configuration in
            configuration.closeTimeout = .milliseconds(200)
        } _: { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            let consuming = Task {
                for try await _ in deliveries {}
            }
            await channel.close()
            let error = try await thrownError(within: .seconds(10)) { try await consuming.value }
            #expect(error.code == .channelClosed)
        }
    }

    @Test func `numbers are used again only after close-ok, the lowest first`() async throws {
        try await ScriptedPeer.withConnection { peer, connection in
            var channels: [Channel] = []
            for number in 1...4 as ClosedRange<UInt16> {
                channels.append(try await peer.openChannel(on: connection, number))
            }
            let (first, third) = (channels[0], channels[2])
            async let closingThird: Void = third.close()
            try await peer.expect(.channelClose, channel: 3)
            async let closingFirst: Void = first.close()
            try await peer.expect(.channelClose, channel: 1)
            // Neither is answered yet.
            channels.append(try await peer.openChannel(on: connection, 5))
            try await peer.send(.channelCloseOk, channel: 3)
            await closingThird
            try await peer.send(.channelCloseOk, channel: 1)
            await closingFirst
            try await peer.roundTrip(on: channels[1])
            for number in [1, 3, 6] as [UInt16] {
                channels.append(try await peer.openChannel(on: connection, number))
            }
            #expect(channels.map(\.number) == [1, 2, 3, 4, 5, 1, 3, 6])
        }
    }

    @Test func `nothing follows close-ok while many tasks publish on the channel`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let exchange = try await channel.declareExchange("")
            let message = try Message("load")
            let publishing = Task {
                await withTaskGroup(of: AMQPError?.self) { group in
                    for _ in 0..<8 {
                        group.addTask {
                            do {
                                while true {
                                    try await exchange.publish(message, routingKey: "q")
                                    await Task.yield()
                                }
                            } catch {
                                return error as? AMQPError
                            }
                        }
                    }
                    return await group.reduce(into: []) { $0.append($1) }
                }
            }
            for _ in 0..<200 { _ = try await peer.expectPublish() }
            try await peer.sendClose(.channelClose, channel: 1, code: 406, text: "enough")
            while try await peer.next().method != .channelCloseOk {}
            let errors = try await within(.seconds(10), "the publishers' end") { await publishing.value }
            #expect(errors.count == 8)
            for error in errors { #expect(error?.code == .preconditionFailed) }
            let again = try await peer.openChannel(on: connection, 1)
            #expect(peer.pendingFrames == [])
            withExtendedLifetime(again) {}
        }
    }

    @Test func `nothing follows channel.close while many tasks publish on the channel`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let exchange = try await channel.declareExchange("")
            let message = try Message("load")
            let publishing = Task {
                await withTaskGroup(of: Void.self) { group in
                    for _ in 0..<8 {
                        group.addTask {
                            while (try? await exchange.publish(message, routingKey: "q")) != nil { await Task.yield() }
                        }
                    }
                }
            }
            for _ in 0..<200 { _ = try await peer.expectPublish() }
            async let closing: Void = channel.close()
            while try await peer.next().method != .channelClose {}
            try await within(.seconds(10), "the publishers' end") { await publishing.value }
            try await peer.send(.channelCloseOk, channel: 1)
            await closing
            let again = try await peer.openChannel(on: connection, 1)
            #expect(peer.pendingFrames == [])
            withExtendedLifetime(again) {}
        }
    }

    @Test func `late frames on a closing channel are discarded`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            let tag = deliveries.consumer.tag
            async let closing: Void = channel.close()
            try await peer.expect(.channelClose, channel: 1)
            var late = PeerFrame.delivery([1], tag: 1, consumer: tag)
            late += PeerFrame.delivery([2], tag: 2, consumer: "nobody")
            late.append(.method(.basicGetEmpty, channel: 1) { $0.shortString("") })
            late.append(.method(.basicDeliver, channel: 1) { $0.shortString("cut") })
            late.removeLast()
            late.append(.method(.channelCloseOk, channel: 1))
            try await peer.send(late)
            await closing
            #expect(connection.closeReason == nil)
        }
    }

    @Test func `close returns within its deadline when the broker is silent, also twice`() async throws {
        try await ScriptedPeer.withChannel { configuration in
            configuration.closeTimeout = .milliseconds(200)
        } _: { peer, _, channel in
            try await within(.seconds(10), "close") {
                async let first: Void = channel.close()
                async let second: Void = channel.close()
                _ = await (first, second)
            }
            #expect(channel.closeReason?.code == .channelClosed)
            #expect(try await peer.next().method == .channelClose)
            #expect(peer.pendingFrames == [])
            let error = try await thrownError { try await channel.setQos() }
            #expect(error.code == .channelClosed)
        }
    }

    @Test func `a consumer that nobody reads does not hold up close`() async throws {
        try await ScriptedPeer.withChannel { configuration in
            configuration.inboundHighWater = 64 * 1024
        } _: { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue, noAck: true)
            let body = [UInt8](repeating: 7, count: 16 * 1024)
            for tag in 1...10 as ClosedRange<UInt64> {
                try await peer.send(PeerFrame.delivery(body, tag: tag, consumer: deliveries.consumer.tag))
            }
            try await eventually("reading pauses") { await channel.connection.link.reading.isPaused }
            async let closing: Void = channel.close()
            try await peer.expect(.channelClose, channel: 1)
            try await peer.send(.channelCloseOk, channel: 1)
            let start = ContinuousClock.now
            await closing
            #expect(ContinuousClock.now - start < .seconds(3))
        }
    }
}
