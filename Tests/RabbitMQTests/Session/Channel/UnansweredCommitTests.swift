import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("What is done while a commit is not answered", .timeLimit(.minutes(1)))
struct UnansweredCommitTests {
    private func beginCommit(_ peer: ScriptedPeer, _ channel: Channel) async throws -> Task<Void, any Error> {
        let committing = Task { try await channel.commit() }
        try await peer.expect(.txCommit)
        return committing
    }

    private func waitForPublisher(_ channel: Channel) async throws {
        try await eventually("a publisher waits") {
            channel.session.state.withLock { !$0.publishers.flowWaiters.isEmpty }
        }
    }

    private func waitForTurns(_ count: Int, _ channel: Channel) async throws {
        try await eventually("\(count) wait for their turn") {
            channel.session.state.withLock { $0.transaction.waiting.count } == count
        }
    }

    private func publish(_ body: UInt8, on channel: Channel) async throws {
        try await channel.defaultExchange.publish(Message(body: [body]), routingKey: "k")
    }

    @Test func `settlements and messages follow the answer, the settlements first and in order`() async throws {
        try await ScriptedPeer.withTransactions(messages: 6) { peer, channel, messages in
            let committing = try await beginCommit(peer, channel)
            let publishing = Task { try await publish(1, on: channel) }
            try await waitForPublisher(channel)
            try messages[0].ack()
            try messages[4].nack(requeue: false, multiple: true)
            try messages[5].reject()
            for message in messages {
                let error = #expect(throws: AMQPError.self) { try message.ack() }
                #expect(error?.code == .alreadySettled)
            }
            try await peer.expectNothing(on: channel)
            try await peer.send(.txCommitOk)
            try await peer.expectSettlements((.basicAck, 1), (.basicNack, 5), (.basicReject, 6))
            #expect(try await peer.expectPublish().body == [1])
            try await committing.value
            try await publishing.value
            // They belong to the transaction that has begun: a rollback takes them back.
            let rollingBack = Task { try await channel.rollback() }
            try await peer.expect(.txRollback)
            try await peer.send(.txRollbackOk)
            try await rollingBack.value
            try messages[0].ack(multiple: false)
            try messages[5].reject()
            try await peer.expectSettlements((.basicAck, 1), (.basicReject, 6))
        }
    }

    @Test func `a publisher that waits too long for the answer is told so`() async throws {
        try await ScriptedPeer.withTransactions { configuration in
            configuration.publishTimeout = .milliseconds(50)
        } _: { peer, channel, _ in
            let committing = try await beginCommit(peer, channel)
            let error = try await thrownError { try await publish(1, on: channel) }
            #expect(error.code == .blockedTooLong)
            #expect(error.message.contains("commit"))
            try await peer.send(.txCommitOk)
            try await committing.value
            try await publish(2, on: channel)
            #expect(try await peer.expectPublish().body == [2])
        }
    }

    @Test func `a publisher that waits for the answer can be cancelled`() async throws {
        try await ScriptedPeer.withTransactions { peer, channel, _ in
            let committing = try await beginCommit(peer, channel)
            let publishing = Task { try await publish(1, on: channel) }
            try await waitForPublisher(channel)
            publishing.cancel()
            await #expect(throws: CancellationError.self) { try await publishing.value }
            try await peer.send(.txCommitOk)
            try await committing.value
            try await peer.expectNothing(on: channel)
        }
    }

    @Test func `flow and answer are both waited for`() async throws {
        try await ScriptedPeer.withTransactions { peer, channel, _ in
            let committing = try await beginCommit(peer, channel)
            try await peer.send(.channelFlow) { $0.octet(0) }
            try await peer.expect(.channelFlowOk)
            let publishing = Task { try await publish(1, on: channel) }
            try await waitForPublisher(channel)
            try await peer.send(.txCommitOk)
            try await committing.value
            try await peer.expectNothing(on: channel)
            try await peer.send(.channelFlow) { $0.octet(1) }
            try await peer.expect(.channelFlowOk)
            #expect(try await peer.expectPublish().body == [1])
            try await publishing.value
        }
    }

    @Test func `the end of the channel ends every wait, and drops what was to be written`() async throws {
        try await ScriptedPeer.withTransactions { peer, channel, messages in
            let committing = try await beginCommit(peer, channel)
            try messages[0].ack()
            try messages[1].reject()
            let waiting = [
                Task { try await publish(1, on: channel) }, Task { try await channel.commit() },
                Task { try await channel.rollback() }, Task { try await channel.recover() },
            ]
            try await waitForPublisher(channel)
            try await peer.sendClose(.channelClose, channel: 1, code: 406, text: "PRECONDITION_FAILED")
            try await peer.expect(.channelCloseOk)
            for task in waiting + [committing] {
                let error = try await thrownError { try await task.value }
                #expect(error.code == .preconditionFailed)
            }
            let stale = #expect(throws: AMQPError.self) { try messages[0].ack() }
            #expect(stale?.code == .staleDelivery)
            #expect(peer.pendingFrames == [])
        }
    }

    @Test func `calls that end a transaction are sent in turn, before waiting publishers`() async throws {
        try await ScriptedPeer.withTransactions { peer, channel, _ in
            let first = try await beginCommit(peer, channel)
            let publishing = Task { try await publish(1, on: channel) }
            try await waitForPublisher(channel)
            let others = [Task { try await channel.commit() }, Task { try await channel.commit() }]
            try await waitForTurns(2, channel)
            let rollingBack = Task { try await channel.rollback() }
            try await waitForTurns(3, channel)
            try await peer.expectNothing(on: channel)
            try await peer.send(.txCommitOk)
            try await first.value
            for _ in others {
                try await peer.expect(.txCommit)
                try await peer.expectNothing(on: channel)
                try await peer.send(.txCommitOk)
            }
            try await peer.expect(.txRollback)
            #expect(try await peer.expectPublish().body == [1])
            try await peer.send(.txRollbackOk)
            for task in others + [rollingBack, publishing] { try await task.value }
        }
    }

    @Test func `a rollback waits in a task that is cancelled, and has settlements wait again`() async throws {
        try await ScriptedPeer.withTransactions { peer, channel, messages in
            let committing = try await beginCommit(peer, channel)
            let isDone = Mutex(false)
            let working = Task {
                defer { isDone.withLock { $0 = true } }
                try await channel.withTransaction {
                    try messages[0].ack()
                    withUnsafeCurrentTask { $0?.cancel() }
                    try await publish(1, on: channel)
                }
            }
            try await waitForTurns(1, channel)
            try await peer.expectNothing(on: channel)
            #expect(!isDone.withLock { $0 })
            try await peer.send(.txCommitOk)
            try await peer.expectSettlements((.basicAck, 1))
            try await peer.expect(.txRollback)
            await #expect(throws: CancellationError.self) { try await working.value }
            try await committing.value
            try messages[0].ack()
            try await peer.expectSettlements((.basicAck, 1))
            try await peer.send(.txRollbackOk)
        }
    }

    @Test func `a commit that was cancelled before its turn is not sent, and its transaction is rolled back`()
        async throws
    {
        try await ScriptedPeer.withTransactions { peer, channel, messages in
            let first = try await beginCommit(peer, channel)
            let second = Task { try await channel.commit() }
            let third = Task { try await channel.withTransaction { try messages[0].ack() } }
            try await waitForTurns(2, channel)
            second.cancel()
            third.cancel()
            await #expect(throws: CancellationError.self) { try await second.value }
            try await peer.send(.txCommitOk)
            try await first.value
            try await peer.expectSettlements((.basicAck, 1))
            try await peer.expect(.txRollback)
            await #expect(throws: CancellationError.self) { try await third.value }
            try await peer.send(.txRollbackOk)
            try await peer.expectNothing(on: channel)
        }
    }

    @Test func `what waits for its turn too long says so; a rollback is sent all the same, before what is published`()
        async throws
    {
        try await ScriptedPeer.withTransactions { configuration in
            // Long enough for what is answered on a busy machine.
            configuration.callTimeout = .seconds(2)
        } _: { peer, channel, messages in
            let first = try await beginCommit(peer, channel)
            let waiting = [Task { try await channel.commit() }, Task { try await channel.rollback() }]
            for task in waiting {
                let error = try await thrownError { try await task.value }
                #expect(error.code == .timedOut)
                #expect(error.message.contains("answer to a commit"))
            }
            let late = try await thrownError { try await first.value }
            #expect(late.code == .timedOut)
            let publishing = Task { try await publish(1, on: channel) }
            try await waitForPublisher(channel)
            try await peer.send(.txCommitOk)
            try await peer.expect(.txRollback)
            #expect(try await peer.expectPublish().body == [1])
            try await peer.send(.txRollbackOk)
            try await publishing.value
        }
    }

    @Test func `calls are sent behind the answer and the settlements before them, in order, cancelled or not`()
        async throws
    {
        try await ScriptedPeer.withTransactions { peer, channel, messages in
            let other = try channel.queue("other")
            let deliveries = try await peer.consume(other)
            let committing = try await beginCommit(peer, channel)
            try messages[0].ack()
            let calling = Task { try await channel.setQos(prefetchCount: 1) }
            try await eventually("it was called") { channel.session.state.withLock { $0.prefetch.each } == 1 }
            calling.cancel()
            await #expect(throws: CancellationError.self) { try await calling.value }
            try messages[1].reject()
            _ = try await other.delete(noWait: true)
            deliveries.consumer.cancelInBackground()
            let recovering = Task { try await channel.recover() }
            try await eventually("it was called") {
                channel.session.state.withLock { $0.settlements.unsettledCount } == 0
            }
            try await peer.expectNothing(on: channel)
            try await peer.send(.txCommitOk)
            try await committing.value
            try await peer.expectSettlements((.basicAck, 1))
            try await peer.expect(.basicQos)
            try await peer.expectSettlements((.basicReject, 2))
            for method in [.queueDelete, .basicCancel, PeerMethod(60, 110)] { try await peer.expect(method) }
            try await peer.send(.basicQosOk)
            try await peer.send(PeerMethod(60, 111))
            try await recovering.value
        }
    }

    @Test func `calls that could not be sent throw at once`() async throws {
        try await ScriptedPeer.withTransactions { peer, channel, _ in
            let committing = try await beginCommit(peer, channel)
            let arguments: QueueArguments = ["k": .string(String(repeating: "x", count: 200_000))]
            let error = try await thrownError { try await channel.declareQueue("q", arguments: arguments) }
            #expect(error.code == .invalidArgument)
            try await peer.send(.txCommitOk)
            try await committing.value
            try await peer.expectNothing(on: channel)
        }
    }

    @Test func `acknowledgements are refused once the connection is being closed`() async throws {
        try await ScriptedPeer.withTransactions { peer, channel, messages in
            let committing = try await beginCommit(peer, channel)
            let closing = Task { await channel.connection.close() }
            try await peer.expect(.connectionClose)
            for message in messages {
                let error = #expect(throws: AMQPError.self) { try message.ack() }
                #expect(error?.code == .staleDelivery)
            }
            try await peer.send(.connectionCloseOk, channel: 0)
            await closing.value
            _ = await committing.result
        }
    }
}
