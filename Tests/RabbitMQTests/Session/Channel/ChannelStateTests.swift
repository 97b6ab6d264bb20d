import Testing

@testable import RabbitMQ

@Suite("the state of a channel")
struct ChannelStateTests {
    private func call(_ method: ClientMethod) -> PendingCall { PendingCall(method: method, reply: OneShot()) }

    private let failure = AMQPError(.channelClosed, "closed")

    @Test func `answers are taken in the order of the calls`() throws {
        var state = ChannelState()
        try state.register(call(.queuePurge(name: "a")))
        try state.register(call(.basicQos(prefetchSize: 0, prefetchCount: 1, global: false)))
        #expect(state.takeCall(answeredBy: .basicQosOk)?.method == nil)
        let first = state.takeCall(answeredBy: .queuePurgeOk(messageCount: 1))
        #expect(first?.method == .queuePurge(name: "a"))
        #expect(state.takeCall(answeredBy: .basicQosOk)?.method != nil)
        #expect(state.takeCall(answeredBy: .basicQosOk)?.method == nil)
    }

    @Test func `answers of queues come when they come`() throws {
        var state = ChannelState()
        let consume = { ClientMethod.basicConsume(ClientMethod.Consume(queue: "q", consumerTag: $0)) }
        try state.register(call(consume("a")))
        try state.register(call(consume("b")))
        try state.register(call(.basicCancel(consumerTag: "c", noWait: false)))
        try state.register(call(.queuePurge(name: "q")))
        #expect(state.takeCall(answeredBy: .queuePurgeOk(messageCount: 0))?.method != nil)
        #expect(state.takeCall(answeredBy: .basicConsumeOk(consumerTag: "b"))?.method == consume("b"))
        #expect(state.takeCall(answeredBy: .basicConsumeOk(consumerTag: "b"))?.method == nil)
        #expect(state.takeCall(answeredBy: .basicCancelOk(consumerTag: "a"))?.method == nil)
        #expect(state.takeCall(answeredBy: .basicCancelOk(consumerTag: "c"))?.method != nil)
        #expect(state.takeCall(answeredBy: .basicConsumeOk(consumerTag: "a"))?.method != nil)
    }

    @Test func `acknowledgements don't wait where a consumer has begun under a lower limit than the last`() throws {
        var state = ChannelState()
        try state.register(call(.basicQos(prefetchSize: 0, prefetchCount: 1, global: false)))
        try state.register(call(.basicConsume(ClientMethod.Consume(queue: "q", consumerTag: "a"))))
        try state.register(call(.basicQos(prefetchSize: 0, prefetchCount: 1000, global: false)))
        try state.register(call(.basicConsume(ClientMethod.Consume(queue: "q", consumerTag: "b"))))
        state.delivered([1, 2, 3] as [UInt64])
        #expect(!state.isInCompany && state.credit == 0)
        state.forgetConsumer("a")
        state.forgetConsumer("b")
        #expect(state.isInCompany && state.credit == 997)
    }

    @Test func `closing from our side ends the calls, and takes no more`() throws {
        var state = ChannelState()
        try state.register(call(.txSelect))
        #expect(state.closeReason == nil)
        #expect(state.beginClosing(failure).count == 1)
        #expect(state.beginClosing(failure).isEmpty)
        #expect(state.closeReason?.code == .channelClosed)
        #expect(throws: AMQPError.self) { try state.register(call(.txCommit)) }
        #expect(state.close(AMQPError(.notFound, "another reason")).isEmpty)
        // The first reason stays.
        #expect(state.closeReason?.code == .channelClosed)
    }

    @Test func `closing for good happens once`() throws {
        var state = ChannelState()
        try state.register(call(.txSelect))
        #expect(state.close(AMQPError(.notFound, "gone")).count == 1)
        #expect(state.close(failure).isEmpty)
        #expect(state.closeReason?.code == .notFound)
        #expect(state.beginClosing(failure).isEmpty)
    }

    /// Each method that is answered, and its answer.
    private static let answers: [(ClientMethod, ServerMethod)] = [
        (.channelOpen, .channelOpenOk),
        (.exchangeDeclare(ClientMethod.DeclareExchange(name: "e", type: "t")), .exchangeDeclareOk),
        (.exchangeDelete(name: "e", ifUnused: false, noWait: false), .exchangeDeleteOk),
        (.queuePurge(name: "q"), .queuePurgeOk(messageCount: 0)),
        (.queueDelete(name: "q", ifUnused: false, ifEmpty: false, noWait: false), .queueDeleteOk(messageCount: 0)),
        (.basicGet(queue: "q", noAck: false), .basicGetEmpty), (.basicRecover(requeue: true), .basicRecoverOk),
        (.confirmSelect, .confirmSelectOk), (.txSelect, .txSelectOk), (.txCommit, .txCommitOk),
        (.txRollback, .txRollbackOk),
    ]

    @Test func `each method has its own answer and no other`() {
        for (index, (method, _)) in Self.answers.enumerated() {
            for (other, (_, answer)) in Self.answers.enumerated() {
                #expect(method.isAnswered(by: answer) == (index == other))
            }
            #expect(!method.isAnswered(by: .basicCancel(consumerTag: "")))
            #expect(!method.isAnswered(by: .connectionOpenOk))
        }
    }
}
