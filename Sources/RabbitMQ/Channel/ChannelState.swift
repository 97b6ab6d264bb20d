internal import DequeModule

/// What a call on a channel is answered with.
enum Reply: Sendable {
    case method(ServerMethod)
    /// A message that was asked for, and how many are left in its queue.
    case message(IncomingMessage, messageCount: UInt32)
}

/// A call that waits for its answer.
struct PendingCall: Sendable {
    let method: ClientMethod
    let reply: OneShot<Reply>
    /// The consumer that begins with the answer.
    var consumer: Consumer?
    /// What a message that is asked for belongs to.
    var source: DeliverySource?

    /// Whether the answers to later calls may overtake its own: those of consume and cancel come from the queue, that of
    /// commit when everything is on disk; the channel's other answers come at once.
    fileprivate var isAnsweredApart: Bool {
        switch method {
        case .basicConsume, .basicCancel, .txCommit: true
        default: false
        }
    }
}

/// A channel's state, as a value: what is allowed, whose answer comes next, what is settled.
struct ChannelState: Sendable {
    enum Phase: Sendable {
        case open
        /// We have sent channel.close; everything but its answer is discarded.
        case closing(AMQPError)
        case closed(AMQPError)
    }

    private(set) var phase = Phase.open
    /// Whether we have sent channel.close, which is answered even if the peer has closed the channel meanwhile.
    private(set) var hasSentClose = false
    /// Answers come in the order of the calls (AMQP 0-9-1, section 4.7), but for some that RabbitMQ gives later.
    private var calls: Deque<PendingCall> = []
    /// The consumers that the broker knows of, once it has read what was sent.
    private var consumerTags: Set<String> = []
    var settlements = SettlementLedger()
    /// What is not confirmed yet; nil if the channel doesn't confirm.
    var confirms: ConfirmLedger?
    /// Publishers that wait because the broker has stopped the flow; nil while it flows.
    var flowWaiters: WaitingLine?
    /// Publishers that wait for room on the connection.
    var roomWaiters: [ObjectIdentifier: OneShot<Void>] = [:]
    /// The limit that consumers begin with, 0 for none.
    private(set) var prefetchCount: UInt16 = 0
    /// The limit for all consumers together, 0 for none.
    private(set) var sharedPrefetchCount: UInt16 = 0
    /// Deliveries to give back when the broker has answered the commit under way.
    private var givenBack: [UInt64] = []

    /// The reason why nothing can be sent any more, or nil.
    var closeReason: AMQPError? {
        switch phase {
        case .open: nil
        case .closing(let error), .closed(let error): error
        }
    }

    /// Takes in a call that is sent, and what it changes for what is sent behind it: whoever waits for the answer may be
    /// gone when that comes.
    mutating func register(_ call: PendingCall) throws(AMQPError) {
        if let closeReason { throw closeReason }
        switch call.method {
        case .basicConsume(let consume):
            guard consumerTags.insert(consume.consumerTag).inserted else { throw Self.usedTag(consume.consumerTag) }
        case .basicCancel(let tag, _): consumerTags.remove(tag)
        case .basicQos(_, let count, let global):
            // RabbitMQ lifts the shared limit with a limit for each (`rabbit_channel:handle_method/3`).
            sharedPrefetchCount = global ? count : 0
            if !global { prefetchCount = count }
        case .basicRecover: settlements.forgetUnsettled()
        case .txSelect: settlements.isTransactional = true
        case .txCommit, .txRollback:
            guard !settlements.isCommitting else { throw Self.committing }
            settlements.endTransaction(commits: call.method == .txCommit)
            settlements.isCommitting = call.method == .txCommit
        default: break
        }
        calls.append(call)
    }

    /// RabbitMQ closes the connection (530) over a tag that is used twice.
    private static func usedTag(_ tag: String) -> AMQPError {
        AMQPError(.invalidArgument, "the channel has a consumer with the tag \(tag) already")
    }

    /// RabbitMQ's channel dies of what is published or settled then.
    static var committing: AMQPError {
        AMQPError(
            .unsupported,
            "until the broker has answered the commit, nothing can be published, settled or committed on the channel"
        )
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

    /// Keeps a delivery that is to be given back until that can be, if it can't now.
    mutating func keepDuringCommit(_ tag: UInt64) -> Bool {
        if settlements.isCommitting { givenBack.append(tag) }
        return settlements.isCommitting
    }

    /// Ends the commit that the broker has answered.
    ///
    /// - Returns: The deliveries to give back now.
    mutating func endCommit() -> [UInt64] {
        settlements.isCommitting = false
        defer { givenBack = [] }
        return givenBack
    }

    /// The consumer with this tag whose basic.consume has not been answered yet.
    func startingConsumer(tag: String) -> Consumer? {
        calls.lazy.compactMap(\.consumer).first { $0.tag == tag }
    }

    /// The call that the channel itself answers next.
    var nextCall: PendingCall? { calls.first { !$0.isAnsweredApart } }

    /// Takes the call that a method answers.
    mutating func takeCall(answeredBy method: ServerMethod) throws(AMQPError) -> PendingCall {
        let index =
            switch method {
            case .basicConsumeOk, .basicCancelOk, .txCommitOk:
                calls.firstIndex { $0.method.isAnswered(by: method) }
            default: calls.firstIndex { !$0.isAnsweredApart }
            }
        guard let index, calls[index].method.isAnswered(by: method) else {
            throw AMQPError(.protocolViolation, "the peer sent an answer to nothing that was asked")
        }
        return calls.remove(at: index)
    }

    /// Begins to close from our side. Calls on their way are answered no more.
    ///
    /// - Returns: Those calls.
    mutating func beginClosing(_ error: AMQPError) -> Deque<PendingCall> {
        guard case .open = phase else { return [] }
        hasSentClose = true
        phase = .closing(error)
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
        defer { calls = [] }
        return calls
    }
}
