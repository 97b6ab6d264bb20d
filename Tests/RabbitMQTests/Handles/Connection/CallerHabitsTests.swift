import Dispatch
import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("applications with habits of their own", .timeLimit(.minutes(2)))
struct CallerHabitsTests {
    // MARK: Logs that block

    /// What a broker does, which is logged.
    enum Deed: CaseIterable, Sendable {
        case blocksPublishers, closesChannel, cancelsConsumer, closesConnection, breaksProtocol, hangsUp
    }

    private func play(_ deed: Deed, _ peer: ScriptedPeer, consumer tag: String) async throws {
        switch deed {
        case .blocksPublishers: try await peer.send(.connectionBlocked, channel: 0) { $0.shortString("memory") }
        case .closesChannel:
            try await peer.sendClose(.channelClose, channel: 1, code: 406, text: "PRECONDITION_FAILED - unknown tag")
        case .cancelsConsumer:
            try await peer.send(.basicCancel) {
                $0.shortString(tag)
                $0.octet(1)
            }
        case .closesConnection:
            try await peer.sendClose(.connectionClose, channel: 0, code: 320, text: "CONNECTION_FORCED - bye")
        case .breaksProtocol: try await peer.send([9, 9, 9, 9, 9, 9, 9, 9])
        case .hangsUp: peer.hangUp()
        }
    }

    @Test(arguments: Deed.allCases)
    func `a log that blocks, whatever it is told of, holds up no other connection`(deed: Deed) async throws {
        let isArmed = Atomic(false)
        let gate = DispatchSemaphore(value: 0)
        let log = CapturedLog { _ in
            // Should it hold up all threads that tests have, it ends some time.
            if isArmed.load(ordering: .acquiring) { _ = gate.wait(timeout: .now() + 30) }
        }
        try await ScriptedPeer.withChannel { peer, _, channel in
            try await ScriptedPeer.withChannel {
                $0.logger = log.logger
            } _: { blockedPeer, blocked, blockedChannel in
                defer {
                    isArmed.store(false, ordering: .releasing)
                    for _ in 0..<100 { gate.signal() }
                }
                let queue = try await blockedPeer.declareQueue(on: blockedChannel)
                let deliveries = try await blockedPeer.consume(queue)
                // From now on it is the poller that reads, on the thread that all connections share.
                try await eventually("it is quiet") { blocked.link.isQuiet.load(ordering: .relaxed) }
                let before = log.entries.count
                isArmed.store(true, ordering: .releasing)
                try await play(deed, blockedPeer, consumer: deliveries.consumer.tag)
                try await eventually("the log blocks") { log.entries.count > before }
                for _ in 0..<3 { try await peer.roundTrip(on: channel) }
                #expect(channel.isOpen)
                withExtendedLifetime(deliveries) {}
            }
        }
    }

    // MARK: Objects that act at their end

    /// Does something at its end.
    private final class Holder: Sendable {
        private let atEnd: @Sendable () -> Void

        init(_ atEnd: @escaping @Sendable () -> Void) { self.atEnd = atEnd }

        deinit { atEnd() }
    }

    @Test func `a deinit settles, looks and has the connection closed`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let deliveries = try await peer.consume(try await peer.declareQueue(on: channel))
            try await peer.send(PeerFrame.delivery([1], tag: 1, consumer: deliveries.consumer.tag))
            var iterator = deliveries.makeAsyncIterator()
            let next = try await iterator.next()
            let message = try #require(next)
            let wasOpen = Collected<Bool>()
            do {
                let holder = Holder {
                    wasOpen.add(channel.isOpen && connection.isOpen && connection.health.isHealthy)
                    try? message.ack()
                    Task { await connection.close() }
                }
                withExtendedLifetime(holder) {}
            }
            try await peer.expect(.basicAck)
            try await peer.expectClose()
            #expect(wasOpen.all == [true])
        }
    }

    /// The closure is the last that holds it, and is let go of on whatever thread the end is told.
    @Test func `what the handlers of an end held may use the connection at its own end`() async throws {
        let peer = try ScriptedPeer()
        let ends = Collected<String>()
        let known = Collected<Connection>()
        func end(_ name: String) -> @Sendable () -> Void {
            let holder = Holder {
                for connection in known.all {
                    _ = connection.health
                    _ = connection.statistics
                    Task { await connection.close() }
                }
                ends.add(name)
            }
            return { withExtendedLifetime(holder) {} }
        }
        func connect() async throws -> Connection {
            let closing = end("onClose")
            return try await peer.connect(onClose: { _ in closing() })
        }
        let connection = try await connect()
        known.add(connection)
        let channel = try await peer.openChannel(on: connection)
        func consume() async throws {
            let (cancelling, failing) = (end("onCancel"), end("onError"))
            let queue = try channel.queue("q")
            async let consumer = queue.consume(onCancel: cancelling, onError: { _ in failing() }) { _ in }
            try await peer.startConsumer()
            _ = try await consumer
        }
        try await consume()
        channel.setReturnHandler({ [returning = end("returns")] _ in returning() })
        peer.hangUp()
        _ = try await within(.seconds(10), "the end") { try await connection.closed }
        try await eventually("all were freed") { ends.count == 4 }
        #expect(Set(ends.all) == ["onClose", "onCancel", "onError", "returns"])
    }

    // MARK: After the end

    @Test func `whatever is done after the application closed says so, at once`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            try await peer.send(PeerFrame.delivery([1], tag: 1, consumer: deliveries.consumer.tag))
            var iterator = deliveries.makeAsyncIterator()
            let next = try await iterator.next()
            let message = try #require(next)
            async let closing: Void = connection.close()
            try await peer.expectClose()
            await closing
            let uses: [@Sendable () async throws -> Void] = [
                { _ = try await connection.openChannel() }, { try await channel.setQos(prefetchCount: 1) },
                { try await channel.selectConfirms() }, { _ = try await queue.publish(Message("x")) },
                { try await queue.publishConfirmed(Message("x")) }, { _ = try await queue.consume() },
                { _ = try await queue.get(noAck: true) }, { _ = try await channel.declareQueue("other") },
                { _ = try await connection.openRPCClient() }, { try message.ack() },
            ]
            let codes: [AMQPError.Code] = [.connectionClosed, .channelClosed, .staleDelivery]
            for use in uses {
                let error = try await thrownError(within: .seconds(5)) { try await use() }
                #expect(codes.contains(error.code), "\(error)")
            }
            // To close again is no mistake.
            await channel.close()
            await connection.close()
            #expect(connection.closeReason?.kind == .closedByApplication)
            #expect(channel.closeReason != nil && !channel.isOpen)
        }
    }
}
