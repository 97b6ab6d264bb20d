import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

extension PeerMethod {
    static let txSelect = PeerMethod(90, 10)
    static let txSelectOk = PeerMethod(90, 11)
    static let txCommit = PeerMethod(90, 20)
    static let txCommitOk = PeerMethod(90, 21)
    static let txRollback = PeerMethod(90, 30)
    static let txRollbackOk = PeerMethod(90, 31)
}

extension ScriptedPeer {
    /// Lends a transactional channel and messages of a consumer.
    static func withTransactions(
        messages count: UInt64 = 2,
        configure: (inout ConnectionConfiguration) -> Void = { _ in },
        _ body: (ScriptedPeer, Channel, [IncomingMessage]) async throws -> Void
    ) async throws {
        try await withChannel(configure: configure) { peer, _, channel in
            async let selected: Void = channel.selectTransactions()
            try await peer.expect(.txSelect)
            try await peer.send(.txSelectOk)
            try await selected
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            let tag = deliveries.consumer.tag
            try await peer.send((1...count).flatMap { PeerFrame.delivery([1], tag: $0, consumer: tag) })
            var iterator = deliveries.makeAsyncIterator()
            var messages: [IncomingMessage] = []
            while messages.count < count { messages.append(try #require(try await iterator.next())) }
            try await body(peer, channel, messages)
            withExtendedLifetime(iterator) {}
        }
    }

    /// Expects settlements of one delivery each.
    func expectSettlements(_ expected: (PeerMethod, UInt64)...) async throws {
        for (method, tag) in expected {
            var fields = try await expect(method).fields
            #expect(fields.longLong() == tag)
        }
    }

    /// Expects that nothing was sent that has not been looked at.
    func expectNothing(on channel: Channel) async throws {
        let other = try await openChannel(on: channel.connection)
        async let closed: Void = other.close()
        try await expect(.channelClose, channel: UInt16(other.number))
        try await send(.channelCloseOk, channel: UInt16(other.number))
        await closed
    }
}

@Suite("transactions", .timeLimit(.minutes(1)))
struct TransactionTests {
    @Test func `a commit that was given up counts all the same, and ends with its answer`() async throws {
        try await ScriptedPeer.withTransactions { peer, channel, messages in
            try messages[0].ack()
            let committing = Task { try await channel.commit() }
            try await peer.expect(.basicAck)
            try await peer.expect(.txCommit)
            committing.cancel()
            await #expect(throws: CancellationError.self) { try await committing.value }
            try messages[1].ack()
            try await peer.expectNothing(on: channel)
            try await peer.send(.txCommitOk)
            try await peer.expectSettlements((.basicAck, 2))
            let second = #expect(throws: AMQPError.self) { try messages[0].ack() }
            #expect(second?.code == .alreadySettled)
        }
    }

    @Test func `a rollback in a task that is cancelled has deliveries wait again`() async throws {
        try await ScriptedPeer.withTransactions { peer, channel, messages in
            let working = Task {
                try await channel.withTransaction {
                    try messages[0].ack()
                    withUnsafeCurrentTask { $0?.cancel() }
                    try Task.checkCancellation()
                }
            }
            try await peer.expect(.basicAck)
            try await peer.expect(.txRollback)
            await #expect(throws: CancellationError.self) { try await working.value }
            // Settled anew, in the transaction that has begun behind the rollback.
            try messages[0].ack()
            try await peer.expect(.basicAck)
            try await peer.send(.txRollbackOk)
            let committing = Task { try await channel.commit() }
            try await peer.expect(.txCommit)
            try await peer.send(.txCommitOk)
            try await committing.value
            let second = #expect(throws: AMQPError.self) { try messages[0].ack() }
            #expect(second?.code == .alreadySettled)
        }
    }

    @Test func `what a consumer leaves behind during a commit goes back after it`() async throws {
        try await ScriptedPeer.withTransactions { peer, channel, messages in
            let queue = try channel.queue("other")
            let deliveries = try await peer.consume(queue)
            let tag = deliveries.consumer.tag
            try await peer.send(PeerFrame.delivery([1], tag: 3, consumer: tag))
            try await eventually("it has come") { channel.session.state.withLock { $0.settlements.end == 4 } }
            let committing = Task { try await channel.commit() }
            try await peer.expect(.txCommit)
            deliveries.consumer.cancelInBackground()
            try await peer.expectNothing(on: channel)
            try await peer.send(.txCommitOk)
            try await committing.value
            try await peer.expect(.basicCancel)
            var fields = try await peer.expect(.basicNack).fields
            #expect(fields.longLong() == 3)
        }
    }
}
