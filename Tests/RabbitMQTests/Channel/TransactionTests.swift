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

@Suite("transactions", .timeLimit(.minutes(1)))
struct TransactionTests {
    /// Lends a transactional channel and two messages of a consumer.
    private func withTransactions(
        _ body: (ScriptedPeer, Channel, [IncomingMessage]) async throws -> Void
    ) async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            async let selected: Void = channel.selectTransactions()
            try await peer.expect(.txSelect)
            try await peer.send(.txSelectOk)
            try await selected
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            let tag = deliveries.consumer.tag
            try await peer.send((1...2).flatMap { PeerFrame.delivery([1], tag: $0, consumer: tag) })
            var iterator = deliveries.makeAsyncIterator()
            var messages: [IncomingMessage] = []
            while messages.count < 2 { messages.append(try #require(try await iterator.next())) }
            try await body(peer, channel, messages)
            withExtendedLifetime(iterator) {}
        }
    }

    @Test func `until a commit is answered nothing is published, settled or committed; calls are answered`()
        async throws
    {
        try await withTransactions { peer, channel, messages in
            try messages[0].ack()
            let committing = Task { try await channel.commit() }
            try await peer.expect(.basicAck)
            try await peer.expect(.txCommit)
            let refused: [@Sendable () async throws -> Void] = [
                { try await channel.defaultExchange.publish(Message(body: [1]), routingKey: "k") },
                { try messages[1].ack() }, { try messages[1].reject() }, { try await channel.commit() },
                { try await channel.rollback() },
            ]
            for refused in refused {
                let error = try await thrownError { try await refused() }
                #expect(error.code == .unsupported)
            }
            // Its answer overtakes that of the commit.
            let calling = Task { try await channel.setQos(prefetchCount: 1) }
            try await peer.expect(.basicQos)
            try await peer.send(.basicQosOk)
            try await calling.value
            try await peer.send(.txCommitOk)
            try await committing.value
            try messages[1].ack()
            try await peer.expect(.basicAck)
            try await channel.defaultExchange.publish(Message(body: [1]), routingKey: "k")
            _ = try await peer.expectPublish()
            #expect(channel.closeReason == nil)
        }
    }

    @Test func `a commit that was given up counts all the same, and ends with its answer`() async throws {
        try await withTransactions { peer, channel, messages in
            try messages[0].ack()
            let committing = Task { try await channel.commit() }
            try await peer.expect(.basicAck)
            try await peer.expect(.txCommit)
            committing.cancel()
            await #expect(throws: CancellationError.self) { try await committing.value }
            let early = #expect(throws: AMQPError.self) { try messages[1].ack() }
            #expect(early?.code == .unsupported)
            try await peer.send(.txCommitOk)
            try await eventually("the commit is over") {
                channel.session.state.withLock { !$0.settlements.isCommitting }
            }
            try messages[1].ack()
            let second = #expect(throws: AMQPError.self) { try messages[0].ack() }
            #expect(second?.code == .alreadySettled)
        }
    }

    @Test func `a rollback in a task that is cancelled has deliveries wait again`() async throws {
        try await withTransactions { peer, channel, messages in
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
        try await withTransactions { peer, channel, messages in
            let queue = try channel.queue("other")
            let deliveries = try await peer.consume(queue)
            let tag = deliveries.consumer.tag
            try await peer.send(PeerFrame.delivery([1], tag: 3, consumer: tag))
            try await eventually("it has come") { channel.session.state.withLock { $0.settlements.end == 4 } }
            let committing = Task { try await channel.commit() }
            try await peer.expect(.txCommit)
            deliveries.consumer.cancelInBackground()
            try await peer.expect(.basicCancel)
            #expect(peer.pendingFrames == [])
            try await peer.send(.txCommitOk)
            try await committing.value
            var fields = try await peer.expect(.basicReject).fields
            #expect(fields.longLong() == 3)
        }
    }
}
