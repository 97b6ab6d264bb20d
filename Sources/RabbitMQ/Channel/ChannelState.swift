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

    fileprivate var isAnsweredByQueue: Bool {
        switch method {
        case .basicConsume, .basicCancel: true
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
    /// Answers come in the order of the calls (AMQP 0-9-1, section 4.7), but for those of consume and cancel: in RabbitMQ
    /// they come from the queue, and the channel's own answers to later calls overtake them.
    private var calls: Deque<PendingCall> = []
    var settlements = SettlementLedger()
    /// What is not confirmed yet; nil if the channel doesn't confirm.
    var confirms: ConfirmLedger?
    /// Publishers that wait because the broker has stopped the flow; nil while it flows.
    var flowWaiters: WaitingLine?
    /// Publishers that wait for room on the connection.
    var roomWaiters: [ObjectIdentifier: OneShot<Void>] = [:]
    /// The limit that consumers begin with, 0 for none.
    var prefetchCount: UInt16 = 0
    /// The limit for all consumers together, 0 for none.
    var sharedPrefetchCount: UInt16 = 0

    /// The reason why nothing can be sent any more, or nil.
    var closeReason: AMQPError? {
        switch phase {
        case .open: nil
        case .closing(let error), .closed(let error): error
        }
    }

    mutating func register(_ call: PendingCall) throws(AMQPError) {
        if let closeReason { throw closeReason }
        calls.append(call)
    }

    /// The consumer with this tag whose basic.consume has not been answered yet.
    func startingConsumer(tag: String) -> Consumer? {
        calls.lazy.compactMap(\.consumer).first { $0.tag == tag }
    }

    /// The call that the channel itself answers next.
    var nextCall: PendingCall? { calls.first { !$0.isAnsweredByQueue } }

    /// Takes the call that a method answers.
    mutating func takeCall(answeredBy method: ServerMethod) throws(AMQPError) -> PendingCall {
        let index =
            switch method {
            case .basicConsumeOk, .basicCancelOk: calls.firstIndex { $0.method.isAnswered(by: method) }
            default: calls.firstIndex { !$0.isAnsweredByQueue }
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
