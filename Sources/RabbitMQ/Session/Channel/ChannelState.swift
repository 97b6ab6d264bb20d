internal import DequeModule

/// What a call on a channel is answered with.
enum Reply: Sendable {
    case method(ServerMethod)
    /// A message that was asked for.
    case message(IncomingMessage)
}

/// A call that waits for its answer.
struct PendingCall: Sendable {
    let method: ClientMethod
    let reply: OneShot<Reply>
    /// The consumer that begins with the answer.
    var consumer: Consumer?
    /// What a message that is asked for belongs to.
    var source: DeliverySource?
    /// Whether somebody waits for the answer, or will.
    var isAwaited = true

    /// Whether the answers to later calls may overtake its own: those of consume and cancel come from the queue, the
    /// channel's other answers come at once.
    fileprivate var isAnsweredApart: Bool {
        switch method {
        case .basicConsume, .basicCancel: true
        default: false
        }
    }
}

/// What is sent when the broker has answered a commit.
enum HeldBack: Equatable, Sendable {
    case rejection(Rejection)
    case method(ClientMethod)
}

/// A rejection to be written.
struct Rejection: Equatable, Sendable {
    let tag: UInt64
    let requeue: Bool
    let multiple: Bool
    /// Whether to send RabbitMQ's basic.nack, which knows `multiple`, or AMQP's basic.reject.
    let usesNack: Bool
}

/// A channel's state, as a value: what is allowed, whose answer comes next, what is settled.
struct ChannelState: Sendable {
    enum Phase: Sendable {
        case open
        /// We have sent channel.close; everything but its answer is discarded.
        case closing(AMQPError)
        case closed(AMQPError)
    }

    /// Who has the turn to end a transaction: one call after the other. RabbitMQ closes the connection (504)
    /// if anything but channel.close comes before it has answered a commit (`rabbit_channel:handle_method/3`).
    private enum Turn {
        case free
        /// A call is about to be sent.
        case taken
        /// A commit has been sent, and is not answered.
        case committing
    }

    private(set) var phase = Phase.open
    /// Whether we have sent channel.close, which is answered even if the peer has closed the channel meanwhile.
    private(set) var hasSentClose = false
    /// Answers come in the order of the calls (AMQP 0-9-1, section 4.7), but for some that RabbitMQ gives later.
    private var calls: Deque<PendingCall> = []
    /// The consumers that the broker knows of, once it has read what was sent.
    private var consumerTags: Set<String> = []
    /// Whether a consumer has had a tag that was not made up, which another channel's may have too.
    private(set) var hasGivenTags = false
    var settlements = SettlementLedger()
    /// What is not confirmed yet; nil if the channel doesn't confirm.
    var confirms: ConfirmLedger?
    /// Whether the broker has stopped the flow (channel.flow).
    var isStopped = false
    private var turn = Turn.free
    /// Calls that wait for their turn.
    private(set) var turns = WaitingLine()
    private var heldBack: [HeldBack] = []
    /// Publishers that wait while ``publishing`` says so.
    private(set) var flowWaiters = WaitingLine()
    /// Publishers that wait for room on the connection.
    var roomWaiters: [ObjectIdentifier: OneShot<Void>] = [:]
    /// The limit that consumers begin with, 0 for none.
    private(set) var prefetchCount: UInt16 = 0
    /// The limit for all consumers together, 0 for none.
    private(set) var sharedPrefetchCount: UInt16 = 0
    /// Whether the limit for all consumers was lifted last: RabbitMQ 4.3, which knows none, takes that for the limit of each.
    private(set) var isSharedLimitLifted = false

    /// The reason why nothing can be sent any more, or nil.
    var closeReason: AMQPError? {
        switch phase {
        case .open: nil
        case .closing(let error), .closed(let error): error
        }
    }

    /// The same, for calls that come too late.
    var refusal: AMQPError? { closeReason?.overAnotherCall }

    /// Takes in a call that is sent, and what it changes for what is sent behind it: whoever waits for the answer may be
    /// gone when that comes.
    mutating func register(_ call: PendingCall) throws(AMQPError) {
        if let refusal { throw refusal }
        switch call.method {
        case .basicConsume(let consume):
            guard consumerTags.insert(consume.consumerTag).inserted else { throw Self.usedTag(consume.consumerTag) }
            if !consume.consumerTag.hasPrefix(Consumer.madeUpTag) { hasGivenTags = true }
        case .basicCancel(let tag, _): consumerTags.remove(tag)
        case .basicQos(_, let count, let global):
            // RabbitMQ lifts the shared limit with a limit for each (`rabbit_channel:handle_method/3`).
            sharedPrefetchCount = global ? count : 0
            isSharedLimitLifted = global && count == 0
            if !global { prefetchCount = count }
        case .basicRecover: settlements.forgetUnsettled()
        case .txSelect: settlements.isTransactional = true
        case .txCommit, .txRollback:
            settlements.endTransaction(commits: call.method == .txCommit)
            if call.method == .txCommit { turn = .committing }
        default: break
        }
        calls.append(call)
    }

    /// RabbitMQ closes the connection (530) over a tag that is used twice.
    private static func usedTag(_ tag: String) -> AMQPError {
        AMQPError(.invalidArgument, "the channel has a consumer with the tag \(tag) already")
    }

    /// Whether a consumer of this tag lives.
    func hasConsumer(_ tag: String) -> Bool { consumerTags.contains(tag) }

    /// The broker has cancelled a consumer.
    mutating func forgetConsumer(_ tag: String) { consumerTags.remove(tag) }

    /// Counts in deliveries that need to be settled. What comes before the answer to a recover is not among them: the
    /// broker takes it back.
    mutating func delivered(_ tags: some Sequence<UInt64>) {
        if calls.contains(where: { if case .basicRecover = $0.method { true } else { false } }) { return }
        for tag in tags { settlements.delivered(tag) }
    }

    /// The consumer with this tag whose basic.consume has not been answered yet.
    func startingConsumer(tag: String) -> Consumer? {
        calls.lazy.compactMap(\.consumer).first { $0.tag == tag }
    }

    /// Whether deliveries may come: for a consumer of which the broker may know, or for a call on its way.
    var mayBeDeliveredTo: Bool {
        guard case .open = phase else { return false }
        return !consumerTags.isEmpty
            || calls.contains { call in
                switch call.method {
                case .basicConsume, .basicCancel, .basicGet: true
                default: false
                }
            }
    }

    /// Calls on their way whose answers bring, or are followed by, deliveries that need settling.
    var callsForDeliveries: [PendingCall] { calls.filter { ($0.consumer?.source ?? $0.source)?.noAck == false } }

    /// The call that the channel itself answers next.
    var nextCall: PendingCall? { calls.first { !$0.isAnsweredApart } }

    /// Takes the call that a method answers, if there is one.
    mutating func takeCall(answeredBy method: ServerMethod) -> PendingCall? {
        let index =
            switch method {
            case .basicConsumeOk, .basicCancelOk:
                calls.firstIndex { $0.method.isAnswered(by: method) }
            default: calls.firstIndex { !$0.isAnsweredApart }
            }
        guard let index, calls[index].method.isAnswered(by: method) else { return nil }
        return calls.remove(at: index)
    }

    /// Begins to close from our side. Calls on their way are answered no more.
    ///
    /// - Returns: Those calls.
    mutating func beginClosing(_ error: AMQPError) -> Deque<PendingCall> {
        guard case .open = phase else { return [] }
        hasSentClose = true
        phase = .closing(error)
        heldBack = []
        defer { calls = [] }
        return calls
    }

    /// Closes for good.
    ///
    /// - Returns: The calls that are answered no more.
    mutating func close(_ error: AMQPError) -> Deque<PendingCall> {
        switch phase {
        case .closed: return []
        case .closing(let reason): phase = .closed(reason)
        case .open: phase = .closed(error)
        }
        heldBack = []
        defer { calls = [] }
        return calls
    }

    // MARK: Commits

    /// Whether a commit was sent that is not answered.
    var isCommitting: Bool { turn == .committing }

    /// Takes the turn to end a transaction.
    ///
    /// - Returns: nil, or what to wait for: then the turn is taken.
    mutating func takeTurn() throws(AMQPError) -> OneShot<Void>? {
        if let refusal { throw refusal }
        guard turn == .free else { return turns.join() }
        turn = .taken
        return nil
    }

    /// Says that one who waited for the turn has stopped, and was not given it.
    mutating func abandonTurn() { turns.leave() }

    /// Passes the turn on.
    ///
    /// - Returns: Who has it now; it must be passed on once more if that one has stopped waiting. nil if nobody has.
    mutating func passTurn() -> OneShot<Void>? {
        let next = turns.popFirst()
        turn = next == nil ? .free : .taken
        return next
    }

    /// Ends the commit that the broker has answered. Its turn is to be passed on when what is held back was written.
    ///
    /// - Returns: What to write behind the acknowledgements.
    mutating func endCommit() -> [HeldBack] {
        turn = .taken
        defer { heldBack = [] }
        return heldBack
    }

    /// Keeps what would be sent now until the commit is answered, if one is not. All that changes with it for what is sent
    /// behind it may change at once.
    ///
    /// - Returns: Whether it did.
    mutating func holdBack(_ item: HeldBack) -> Bool {
        // channel.flow-ok is for other brokers: RabbitMQ never asks for it.
        if case .method(.channelFlowOk) = item { return false }
        if isCommitting { heldBack.append(item) }
        return isCommitting
    }

    /// Gives the acknowledgements to write: none before a commit is answered.
    mutating func takeAcknowledgements(_ write: (_ tag: UInt64, _ multiple: Bool) -> Void) {
        if !isCommitting { settlements.takeAcknowledgements(write) }
    }

    // MARK: Publishers

    /// What is special about publishing at present. Publishers wait behind the calls that wait for a commit's answer, lest
    /// a rollback drop what is published after it.
    var publishing: PublishingMode {
        var mode: PublishingMode = confirms == nil ? .plain : .confirming
        if isStopped { mode.insert(.stopped) }
        if turn != .free { mode.insert(.committing) }
        return mode
    }

    /// - Returns: nil, or what to wait for before publishing.
    mutating func joinFlow() throws(AMQPError) -> OneShot<Void>? {
        if let refusal { throw refusal }
        return publishing.isHeld ? flowWaiters.join() : nil
    }

    /// Says that a publisher has stopped waiting for the flow.
    mutating func abandonFlow() { flowWaiters.leave() }

    /// The publishers that wait no longer.
    mutating func takePublishers() -> [OneShot<Void>] { publishing.isHeld ? [] : flowWaiters.removeAll() }

    /// Whether somebody is told of the channel's end who waits for an answer, an outcome, or a turn to publish.
    var isAwaited: Bool {
        let hasUnconfirmed = confirms.map { $0.unconfirmed > 0 || !$0.waiters.isEmpty } ?? false
        return hasUnconfirmed || !flowWaiters.isEmpty || !turns.isEmpty || !roomWaiters.isEmpty
            || calls.contains { $0.isAwaited && !$0.reply.isSettled }
    }

    /// Ends the waits for flow and turn.
    mutating func endWaits() -> [OneShot<Void>] { flowWaiters.removeAll() + turns.removeAll() }
}
