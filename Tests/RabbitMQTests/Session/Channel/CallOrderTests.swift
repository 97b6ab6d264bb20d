import Testing

@testable import RabbitMQ

@Suite("The order of answers on a channel")
struct CallOrderTests {
    private func state(waitingFor methods: [ClientMethod]) throws -> ChannelState {
        var state = ChannelState()
        for method in methods { try state.register(PendingCall(method: method, reply: OneShot())) }
        return state
    }

    private func consume(_ tag: String) -> ClientMethod {
        .basicConsume(ClientMethod.Consume(queue: "q", consumerTag: tag))
    }

    @Test("answers of the channel are in order, and one out of order is a violation")
    func inOrder() throws {
        var state = try state(waitingFor: [.confirmSelect, .txSelect])
        #expect(state.takeCall(answeredBy: .txSelectOk)?.method == nil)
        #expect(state.takeCall(answeredBy: .confirmSelectOk)?.method == .confirmSelect)
        #expect(state.takeCall(answeredBy: .txSelectOk)?.method == .txSelect)
        #expect(state.takeCall(answeredBy: .txSelectOk)?.method == nil)
    }

    @Test("a consumer's tag is taken until it is cancelled, by either side")
    func tags() throws {
        var state = try state(waitingFor: [consume("a")])
        func consumeAgain() throws { try state.register(PendingCall(method: consume("a"), reply: OneShot())) }
        #expect(state.consumerTags.contains("a"))
        let error = #expect(throws: AMQPError.self) { try consumeAgain() }
        #expect(error?.code == .invalidArgument)
        let cancel = ClientMethod.basicCancel(consumerTag: "a", noWait: false)
        _ = state.takeCall(answeredBy: .basicConsumeOk(consumerTag: "a"))
        try state.register(PendingCall(method: cancel, reply: OneShot()))
        try consumeAgain()
        state.forgetConsumer("a")
        try consumeAgain()
    }

    @Test func `a cancel waits until its consumer has begun, and is kept once`() throws {
        let cancel = ClientMethod.basicCancel(consumerTag: "a", noWait: false)
        var state = try state(waitingFor: [consume("a"), consume("b")])
        for isAwaited in [false, true, false] {
            let call = PendingCall(method: cancel, reply: OneShot(), isAwaited: isAwaited)
            try state.register(call)
            #expect(state.holdBack(.method(cancel)) == true)
        }
        // The consumer has its tag as long as the broker has not been told.
        #expect(state.consumerTags.contains("a") && state.isAwaited)
        #expect(state.takeCall(answeredBy: .basicCancelOk(consumerTag: "a"))?.method == nil)
        #expect(state.takeCancel(tag: "b")?.method == nil)
        _ = state.takeCall(answeredBy: .basicConsumeOk(consumerTag: "a"))
        let taken = state.takeCancel(tag: "a")
        let kept = try #require(taken)
        #expect(kept.method == cancel && kept.isAwaited)
        #expect(state.takeCancel(tag: "a")?.method == nil)
        try state.register(kept)
        #expect(state.holdBack(.method(cancel)) == false)
        #expect(!state.consumerTags.contains("a"))
        #expect(state.takeCall(answeredBy: .basicCancelOk(consumerTag: "a"))?.method == cancel)
    }

    @Test func `a cancel that waits ends with its channel`() throws {
        var state = try state(waitingFor: [consume("a")])
        let cancel = ClientMethod.basicCancel(consumerTag: "a", noWait: false)
        try state.register(PendingCall(method: cancel, reply: OneShot()))
        #expect(state.close(AMQPError(.notFound, "no queue")).map(\.method) == [consume("a"), cancel])
        #expect(!state.isAwaited)
    }

    @Test("prefetch limits are those that the broker has: one for each lifts the one for all")
    func prefetch() throws {
        func limits(_ steps: (UInt16, global: Bool)...) throws -> [UInt16] {
            let state = try state(
                waitingFor: steps.map { .basicQos(prefetchSize: 0, prefetchCount: $0.0, global: $0.global) }
            )
            return [state.prefetch.each, state.prefetch.shared]
        }
        #expect(try limits((5, global: false), (7, global: true)) == [5, 7])
        #expect(try limits((7, global: true), (5, global: false)) == [5, 0])
        #expect(try limits((5, global: false), (0, global: true)) == [5, 0])
        #expect(try limits((7, global: true), (0, global: false)) == [0, 0])
    }

    @Test("answers that come from queues may be overtaken, by each other too, and are told apart by their tags")
    func overtaken() throws {
        let cancel = ClientMethod.basicCancel(consumerTag: "a", noWait: false)
        var state = try state(waitingFor: [consume("c"), consume("b"), .confirmSelect, cancel, .txSelect])
        #expect(state.nextCall?.method == .confirmSelect)
        #expect(state.takeCall(answeredBy: .confirmSelectOk)?.method == .confirmSelect)
        #expect(state.takeCall(answeredBy: .basicConsumeOk(consumerTag: "b"))?.method == consume("b"))
        #expect(state.takeCall(answeredBy: .basicConsumeOk(consumerTag: "b"))?.method == nil)
        #expect(state.takeCall(answeredBy: .basicCancelOk(consumerTag: "d"))?.method == nil)
        #expect(state.takeCall(answeredBy: .txSelectOk)?.method == .txSelect)
        #expect(state.takeCall(answeredBy: .basicCancelOk(consumerTag: "a"))?.method == cancel)
        #expect(state.takeCall(answeredBy: .basicConsumeOk(consumerTag: "c"))?.method == consume("c"))
    }
}
