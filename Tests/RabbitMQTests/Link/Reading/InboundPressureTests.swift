import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("while reading is paused for a slow consumer", .timeLimit(.minutes(1)))
struct InboundPressureTests {
    /// What ends with something that the broker says.
    enum Wait: CaseIterable, Sendable { case call, confirm, place, flow, unblocked, secret }

    private static let message = Message(body: [1])

    /// Sends deliveries that nobody takes until the client reads no more.
    private func pause(_ peer: ScriptedPeer, _ connection: Connection, consumer: String) async throws {
        let body = [UInt8](repeating: 0, count: 16 * 1024)
        for tag in 1...4 as ClosedRange<UInt64> {
            try await peer.send(PeerFrame.delivery(body, tag: tag, consumer: consumer))
        }
        try await eventually("reading pauses") { await connection.link.reading.isPaused }
    }

    @Test func `a shutdown hears the confirms that it waits for`() async throws {
        try await ScriptedPeer.withChannel { configuration in
            configuration.inboundHighWater = 16 * 1024
        } _: { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue, noAck: true)
            let tag = deliveries.consumer.tag
            async let selected: Void = channel.selectConfirms()
            try await peer.expect(PeerMethod(85, 10))
            try await peer.send(.confirmSelectOk)
            try await selected
            try await channel.defaultExchange.publish(Self.message, routingKey: "k")
            _ = try await peer.expectPublish()
            try await pause(peer, connection, consumer: tag)
            let shutdown = Task { await connection.shutdown(within: .seconds(60)) }
            try await peer.expect(.basicCancel)
            try await peer.send(.basicCancelOk) { $0.shortString(tag) }
            let session = channel.core.session
            try await eventually("it waits") { session.state.withLock { $0.rest.isAwaited } }
            // With whatever comes next it is decided anew whether to read on.
            try await peer.send([PeerFrame.heartbeat])
            try await peer.waitUntilRead()
            try await peer.sendAck(1)
            try await peer.expectClose()
            let report = try await within(.seconds(20), "the end") { await shutdown.value }
            #expect(report.unconfirmed == 0)
            withExtendedLifetime(deliveries) {}
        }
    }

    @Test(arguments: Wait.allCases)
    func `who waits for the broker hears it`(_ wait: Wait) async throws {
        try await ScriptedPeer.withChannel { configuration in
            configuration.inboundHighWater = 16 * 1024
        } _: { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue, noAck: true)
            let exchange = channel.defaultExchange
            switch wait {
            case .confirm, .place:
                async let selected: Void = channel.selectConfirms(maxUnconfirmed: 1)
                try await peer.expect(PeerMethod(85, 10))
                try await peer.send(.confirmSelectOk)
                try await selected
                try await exchange.publish(Self.message, routingKey: "k")
                _ = try await peer.expectPublish()
            case .flow:
                try await peer.send(.channelFlow) { $0.octet(0) }
                try await peer.expect(.channelFlowOk)
            case .unblocked:
                try await peer.send(.connectionBlocked, channel: 0) { $0.shortString("memory") }
                try await eventually("it is blocked") { connection.blockedReason != nil }
            case .call, .secret: break
            }
            try await pause(peer, connection, consumer: deliveries.consumer.tag)
            let waiting = Task {
                switch wait {
                case .call: try await channel.setQos(prefetchCount: 1)
                case .confirm: try await channel.waitForConfirms()
                case .place, .flow, .unblocked: try await exchange.publish(Self.message, routingKey: "k")
                case .secret: try await connection.link.updateSecret(Secret("new"), reason: "renewed")
                }
            }
            switch wait {
            case .call:
                try await peer.expect(.basicQos)
                try await peer.send(.basicQosOk)
            case .confirm, .place:
                try await peer.send(.basicAck) {
                    $0.longLong(1)
                    $0.octet(0)
                }
            case .flow: try await peer.send(.channelFlow) { $0.octet(1) }
            case .unblocked: try await peer.send(.connectionUnblocked, channel: 0)
            case .secret:
                try await peer.expect(PeerMethod(10, 70), channel: 0)
                try await peer.send(.connectionUpdateSecretOk, channel: 0)
            }
            // Sooner than the timeouts, which would end it too.
            try await within(.seconds(5), "the end of the wait") { try await waiting.value }
            withExtendedLifetime(deliveries) {}
        }
    }

    @Test func `who was held back before the broker blocked hears that it blocks no more`() async throws {
        try await ScriptedPeer.withChannel(sendBuffer: 4096) { configuration in
            configuration.inboundHighWater = 16 * 1024
            configuration.outboundHighWater = 50_000
        } _: { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue, noAck: true)
            let exchange = channel.defaultExchange
            let message = Message(body: [UInt8](repeating: 1, count: 30_000))
            peer.pauseReading()
            let publishing = Task { for _ in 0..<3 { try await exchange.publish(message, routingKey: "k") } }
            try await eventually("a publisher is held back") {
                connection.link.outbox.state.withLock { !$0.heldBack.isEmpty }
            }
            try await peer.send(.connectionBlocked, channel: 0) { $0.shortString("memory") }
            let body = [UInt8](repeating: 0, count: 16 * 1024)
            for tag in 1...4 as ClosedRange<UInt64> {
                try await peer.send(PeerFrame.delivery(body, tag: tag, consumer: deliveries.consumer.tag))
            }
            try await eventually("the deliveries have come") { connection.link.gauge.waitingBytes > 64 * 1024 }
            try await peer.send(.connectionUnblocked, channel: 0)
            peer.resumeReading()
            try await within(.seconds(5), "the end of the wait") { try await publishing.value }
            withExtendedLifetime(deliveries) {}
        }
    }

    @Test(arguments: [(0, [0x61]), (1, [0x61]), (0, [UInt8](repeating: 0xFF, count: 100))])
    func `messages count with their headers, whatever their bodies and keys`(bodySize: Int, key: [UInt8]) async throws {
        try await ScriptedPeer.withChannel { configuration in
            configuration.inboundHighWater = 64 * 1024
        } _: { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue, noAck: true)
            var headers = PeerWriter()
            headers.octet(UInt8(key.count))
            headers.raw(key)
            headers.octet(0x53)
            headers.longString(String(repeating: "x", count: 20_000))
            var properties = PeerWriter()
            properties.short(0x2000)
            properties.block(headers.bytes)
            for tag in 1...4 as ClosedRange<UInt64> {
                var frames = PeerFrame.delivery(
                    [UInt8](repeating: 1, count: bodySize),
                    tag: tag,
                    consumer: deliveries.consumer.tag
                )
                frames[1] = .header(channel: 1, bodySize: UInt64(bodySize), properties: properties.bytes)
                try await peer.send(frames)
            }
            try await eventually("reading pauses") { await connection.link.reading.isPaused }
            var iterator = deliveries.makeAsyncIterator()
            for tag in 1...4 as ClosedRange<UInt64> { #expect(try await iterator.next()?.deliveryTag == tag) }
            try await eventually("reading goes on") { await !connection.link.reading.isPaused }
            #expect(connection.link.gauge.waitingBytes == 0)
        }
    }

    @Test func `an end that came with what pauses reading is not put off`() async throws {
        try await ScriptedPeer.withChannel { configuration in
            configuration.inboundHighWater = 1024
        } _: { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue, noAck: true)
            // Then it is mostly the poller that reads, which leaves the rest to the queue.
            try await eventually("it is quiet, and the queue idle") {
                let isPaused = await connection.link.reading.isPaused
                return !isPaused && connection.link.isQuiet.load(ordering: .relaxed)
            }
            let body = [UInt8](repeating: 0, count: 1000)
            let close = PeerFrame.method(.channelClose, channel: 1) {
                $0.short(406)
                $0.shortString("PRECONDITION_FAILED")
                $0.short(0)
                $0.short(0)
            }
            try await peer.send(PeerFrame.delivery(body, tag: 1, consumer: deliveries.consumer.tag) + [close])
            try await eventually("the channel is closed") { channel.closeReason?.code == .preconditionFailed }
            withExtendedLifetime(deliveries) {}
        }
    }

    @Test func `a call for each message is answered, however large the backlog`() async throws {
        try await ScriptedPeer.withChannel { configuration in
            configuration.inboundHighWater = 64 * 1024
            configuration.callTimeout = .seconds(5)
        } _: { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue, noAck: true)
            var iterator = deliveries.makeAsyncIterator()
            let size = 1 << 16
            let rounds = (InboundGauge.callMargin >> 20) / 6 + 2
            let backlog = (1...96).flatMap {
                PeerFrame.delivery([UInt8](repeating: 0, count: size), tag: $0, consumer: deliveries.consumer.tag)
            }.flatMap(\.bytes)
            for _ in 0..<rounds {
                let calling = Task { try await channel.setQos(prefetchCount: 1) }
                try await peer.expect(.basicQos)
                try await peer.send(backlog)
                try await peer.send(.basicQosOk)
                try await calling.value
                _ = try await iterator.next()
            }
        }
    }
}
