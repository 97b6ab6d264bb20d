internal import DequeModule

/// A channel's state, as a value: what is allowed, whose answer comes next, what is settled. Each of its parts is a value
/// of its own; what concerns several of them is here.
struct ChannelState: Sendable {
    private(set) var phase = ChannelPhase()
    private var calls = CallQueue()
    private(set) var consumerTags = ConsumerTags()
    private(set) var prefetch = PrefetchLimits()
    var settlements = SettlementLedger()
    private(set) var transaction = TransactionGate()
    /// What is not confirmed yet; nil if the channel doesn't confirm.
    var confirms: ConfirmLedger?
    var publishers = PublisherGate()
    var rest = RestWaiters()
    /// Why nothing can be settled any more, where the channel has not ended yet: its connection's last word is said.
    var settlementsEnd: AMQPError?

    /// The reason why nothing can be sent any more, or nil.
    var closeReason: AMQPError? { phase.closeReason }

    /// The same, for calls that come too late.
    var refusal: AMQPError? { closeReason?.overAnotherCall }

    /// The reason why nothing can be settled any more, or nil.
    var settlingRefusal: AMQPError? { closeReason ?? settlementsEnd }

    // MARK: Calls

    /// Takes in a call that is sent, and what it changes for what is sent behind it: whoever waits for the answer may be
    /// gone when that comes.
    mutating func register(_ call: PendingCall) throws(AMQPError) {
        if let refusal { throw refusal }
        if calls.keepCancel(call) { return }
        switch call.method {
        case .basicConsume(let consume):
            try consumerTags.add(consume.consumerTag)
            if !consume.noAck { prefetch.consumerBegan() }
        case .basicCancel(let tag, _): forgetConsumer(tag)
        case .basicQos(_, let count, let global): prefetch.set(count, global: global)
        case .basicRecover: settlements.forgetUnsettled()
        case .txSelect: settlements.isTransactional = true
        case .txRollback: settlements.endTransaction(commits: false)
        case .txCommit:
            settlements.endTransaction(commits: true)
            transaction.commit()
        default: break
        }
        calls.append(call)
    }

    /// The call that the channel itself answers next.
    var nextCall: PendingCall? { calls.next }

    /// Takes the call that a method answers, if there is one.
    mutating func takeCall(answeredBy method: ServerMethod) -> PendingCall? { calls.take(answeredBy: method) }

    // MARK: Deliveries

    /// Notes deliveries that need to be settled.
    ///
    /// Not those that come between basic.recover and its answer: the broker takes back, and delivers again under new tags,
    /// what it sent before it got the recover. If they were noted, acknowledging one would name a tag that the broker has
    /// forgotten, for which it closes the channel (406).
    mutating func delivered(_ tags: some Sequence<UInt64>) {
        if calls.isRecovering { return }
        for tag in tags { settlements.delivered(tag) }
    }

    /// How many deliveries come at least before the broker waits for settlements. It has not been told of all of them.
    var credit: Int { prefetch.credit(after: settlements.unsettledCount + settlements.unwrittenCount) }

    /// Whether deliveries may come: for a consumer of which the broker may know, or for a call on its way.
    var mayBeDeliveredTo: Bool { phase.isOpen && (!consumerTags.isEmpty || calls.mayBringDeliveries) }

    /// Calls on their way whose answers bring, or are followed by, deliveries that need settling.
    var callsForDeliveries: [PendingCall] { calls.forDeliveries }

    /// The consumer with this tag whose basic.consume has not been answered yet.
    func startingConsumer(tag: String) -> Consumer? { calls.startingConsumer(tag: tag) }

    /// Takes the cancel that has waited for this consumer to begin, if there is one, to be sent and registered now.
    mutating func takeCancel(tag: String) -> PendingCall? { calls.takeCancel(tag: tag) }

    /// A consumer is cancelled.
    mutating func forgetConsumer(_ tag: String) {
        consumerTags.remove(tag)
        if consumerTags.isEmpty { prefetch.consumersAreGone() }
    }

    /// Gives the acknowledgements to write: none before a commit is answered.
    mutating func takeAcknowledgements(_ write: (_ tag: UInt64, _ multiple: Bool) -> Void) {
        if !transaction.isCommitting { settlements.takeAcknowledgements(write) }
    }

    /// Whether so many acknowledgements wait that the broker is to be told.
    var isEnough: Bool { settlements.unwrittenCount >= prefetch.mostUnwritten }

    /// Whether an acknowledgement may wait for others, though somebody waits for deliveries: some are being handled, whose
    /// acknowledgements can go along, and the broker has leave to deliver more meanwhile.
    var isInCompany: Bool { settlements.unsettledCount > 0 && leavesRoom }

    /// Whether the broker has leave to deliver more while as many acknowledgements wait as may.
    var leavesRoom: Bool { prefetch.leavesRoom(beside: settlements.unsettledCount + settlements.unwrittenCount) }

    // MARK: Transactions

    /// Takes the turn to end a transaction.
    ///
    /// - Returns: nil, or what to wait for: then the turn is taken.
    mutating func takeTurn() throws(AMQPError) -> OneShot<Void>? {
        if let refusal { throw refusal }
        return transaction.take()
    }

    /// Says that one who waited for the turn has stopped, and was not given it.
    mutating func abandonTurn() { transaction.abandon() }

    /// Passes the turn on: see ``TransactionGate/pass()``.
    mutating func passTurn() -> OneShot<Void>? { transaction.pass() }

    /// Ends the commit that the broker has answered: see ``TransactionGate/endCommit()``.
    mutating func endCommit() -> [HeldBack] { transaction.endCommit() }

    /// Keeps what would be sent now until the commit is answered, if one is not. All that changes with it for what is sent
    /// behind it may change at once. A cancel whose consumer has not begun is kept already.
    ///
    /// - Returns: Whether it did.
    mutating func holdBack(_ item: HeldBack) -> Bool {
        if case .method(let method) = item, calls.keepsCancel(method) { return true }
        return transaction.holdBack(item)
    }

    // MARK: Publishers

    /// What is special about publishing at present. Publishers wait behind the calls that wait for a commit's answer: one of
    /// these may be a rollback, which would drop a message that was published after it and sent before it.
    var publishing: PublishingMode {
        var mode: PublishingMode = confirms == nil ? .plain : .confirming
        if publishers.isStopped { mode.insert(.stopped) }
        if !transaction.isFree { mode.insert(.committing) }
        if !phase.isOpen { mode.insert(.closed) }
        return mode
    }

    /// - Returns: nil, or what to wait for before publishing.
    mutating func joinFlow() throws(AMQPError) -> OneShot<Void>? {
        if let refusal { throw refusal }
        return publishing.isHeld ? publishers.join() : nil
    }

    /// Says that a publisher has stopped waiting for the flow.
    mutating func abandonFlow() { publishers.abandon() }

    /// The publishers that wait no longer.
    mutating func takePublishers() -> [OneShot<Void>] { publishing.isHeld ? [] : publishers.takeFlowWaiters() }

    // MARK: Rest

    /// Whether nothing of a kind waits any more.
    func isAtRest(_ kind: RestWaiters.Kind) -> Bool {
        switch kind {
        case .settled(let own): settlements.unsettledCount == own.count { settlements.isUnsettled($0) }
        case .confirmed(let last): confirms?.isSettled(upTo: last) ?? true
        }
    }

    /// - Returns: nil, or what to wait for until nothing of a kind waits any more, or the channel ends.
    mutating func joinRest(_ kind: RestWaiters.Kind) -> OneShot<Void>? {
        closeReason != nil || isAtRest(kind) ? nil : rest.join(kind)
    }

    // MARK: The end

    /// Begins to close from our side. Calls on their way are answered no more.
    ///
    /// - Returns: Those calls.
    mutating func beginClosing(_ error: AMQPError) -> Deque<PendingCall> {
        phase.beginClosing(error) ? dropCalls() : []
    }

    /// Closes for good.
    ///
    /// - Returns: The calls that are answered no more.
    mutating func close(_ error: AMQPError) -> Deque<PendingCall> { phase.close(error) ? dropCalls() : [] }

    private mutating func dropCalls() -> Deque<PendingCall> {
        transaction.dropHeldBack()
        return calls.removeAll()
    }

    /// Whether somebody is told of the channel's end who waits for an answer, an outcome, or a turn to publish.
    var isAwaited: Bool {
        let hasUnconfirmed = confirms.map { $0.unconfirmed > 0 || !$0.waiters.isEmpty } ?? false
        return hasUnconfirmed || publishers.isAwaited || !transaction.waiting.isEmpty || calls.isAwaited
    }

    /// Ends the waits for flow, turn and rest.
    mutating func endWaits() -> [OneShot<Void>] {
        publishers.takeFlowWaiters() + transaction.endWaits() + rest.takeAll()
    }
}
