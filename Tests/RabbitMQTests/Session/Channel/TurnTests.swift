import Testing

@testable import RabbitMQ

@Suite("Turns to end a transaction, as a value")
struct TurnTests {
    private let failure = AMQPError(.channelClosed, "closed")

    private func commit(_ state: inout ChannelState) throws {
        try state.register(PendingCall(method: .txCommit, reply: OneShot()))
    }

    private func rejection(_ tag: UInt64) -> HeldBack {
        .rejection(Rejection(tag: tag, requeue: true, multiple: false, usesNack: false))
    }

    private func written(_ state: inout ChannelState) -> [UInt64] {
        var tags: [UInt64] = []
        state.takeAcknowledgements { tag, _ in tags.append(tag) }
        return tags
    }

    @Test func `one has the turn, the others get it in order, and publishers go on behind them`() throws {
        var state = ChannelState()
        #expect(state.publishing == .plain)
        var turn = try state.takeTurn()
        #expect(turn == nil)
        #expect(state.publishing == .committing)
        let (first, second, publisher) = (try state.takeTurn(), try state.takeTurn(), try state.joinFlow())
        #expect(publisher != nil)
        turn = state.passTurn()
        #expect(turn === first)
        turn = state.passTurn()
        #expect(turn === second)
        #expect(state.takePublishers().isEmpty)
        turn = state.passTurn()
        #expect(turn == nil)
        #expect(state.takePublishers().map { $0 === publisher } == [true])
        let waits = try state.joinFlow()
        #expect(waits == nil)
    }

    @Test func `a commit keeps the turn and what is settled until it is answered`() throws {
        var state = ChannelState()
        state.settlements.isTransactional = true
        state.delivered(1...3)
        _ = try state.takeTurn()
        #expect(!state.transaction.isCommitting)
        try commit(&state)
        #expect(state.transaction.isCommitting)
        #expect(state.settlements.acknowledge(1, multiple: false) == .accepted)
        #expect(written(&state) == [])
        let items = [rejection(3), .method(.queuePurge(name: "q")), rejection(2)]
        for item in items {
            let isHeldBack = state.holdBack(item)
            #expect(isHeldBack)
        }
        let flowOk = state.holdBack(.method(.channelFlowOk(active: true)))
        #expect(!flowOk)
        #expect(state.endCommit() == items)
        #expect(written(&state) == [1])
        #expect(state.publishing == .committing)
        let isHeldBack = state.holdBack(rejection(4))
        #expect(!isHeldBack)
        #expect(state.endCommit() == [])
    }

    @Test func `publishers wait while the flow is stopped or a commit is not answered`() throws {
        var state = ChannelState()
        state.confirms = ConfirmLedger(limit: 1)
        #expect(state.publishing == .confirming)
        state.publishers.isStopped = true
        #expect(state.publishing == [.confirming, .stopped])
        _ = try state.joinFlow()
        _ = try state.takeTurn()
        state.publishers.isStopped = false
        #expect(state.takePublishers().isEmpty)
        _ = state.passTurn()
        #expect(state.takePublishers().count == 1)
    }

    @Test(arguments: [false, true])
    func `the end drops what was to be written, and takes nobody any more`(byUs: Bool) throws {
        var state = ChannelState()
        _ = try state.takeTurn()
        try commit(&state)
        _ = state.holdBack(rejection(1))
        _ = try state.takeTurn()
        _ = try state.joinFlow()
        _ = byUs ? state.beginClosing(failure) : state.close(failure)
        #expect(state.endWaits().count == 2)
        #expect(state.endCommit() == [])
        #expect(throws: AMQPError.self) { _ = try state.takeTurn() }
        #expect(throws: AMQPError.self) { _ = try state.joinFlow() }
    }

    @Test func `who has stopped waiting is not listed for ever`() throws {
        var state = ChannelState()
        _ = try state.takeTurn()
        for _ in 0..<100 {
            try state.takeTurn()?.fail(CancellationError())
            state.abandonTurn()
            try state.joinFlow()?.fail(CancellationError())
            state.abandonFlow()
        }
        #expect(state.endWaits().count == 0)
    }
}
