internal import DequeModule

/// The calls of a channel that wait for their answers. A value.
///
/// Answers come in the order of the calls (AMQP 0-9-1, section 4.7), but for some that RabbitMQ gives later.
struct CallQueue: Sendable {
    private var calls: Deque<PendingCall> = []
    /// Cancels that are sent once their consumers have begun, at most one of each.
    private var cancels: [PendingCall] = []

    mutating func append(_ call: PendingCall) { calls.append(call) }

    /// The call that the channel itself answers next.
    var next: PendingCall? { calls.first { !$0.method.isAnsweredApart } }

    /// Takes the call that a method answers, if there is one.
    mutating func take(answeredBy method: ServerMethod) -> PendingCall? {
        let index =
            calls.firstIndex { $0.method.isAnsweredApart && $0.method.isAnswered(by: method) }
            ?? calls.firstIndex { !$0.method.isAnsweredApart }
        guard let index, calls[index].method.isAnswered(by: method) else { return nil }
        return calls.remove(at: index)
    }

    /// Takes all of them: they are answered no more.
    mutating func removeAll() -> Deque<PendingCall> {
        defer { self = CallQueue() }
        return calls + cancels
    }

    /// Whether somebody waits for an answer.
    var isAwaited: Bool {
        let isAwaited = { (call: PendingCall) in call.isAwaited && !call.reply.isSettled }
        return calls.contains(where: isAwaited) || cancels.contains(where: isAwaited)
    }

    // MARK: Cancels that wait

    /// Keeps a cancel whose consumer has not begun until it has: RabbitMQ 3.10.8 was seen to close the connection (541) over
    /// a cancel that came before it had answered the consume.
    ///
    /// - Returns: Whether it did.
    mutating func keepCancel(_ call: PendingCall) -> Bool {
        guard case .basicCancel(let tag, _) = call.method, isStarting(tag) else { return false }
        guard let index = cancels.firstIndex(where: { $0.method == call.method }) else {
            cancels.append(call)
            return true
        }
        // Sent twice, the second could end the next consumer with the tag. Only one of them is waited for.
        if call.isAwaited { cancels[index] = call }
        return true
    }

    /// Whether a method is a cancel that is kept.
    func keepsCancel(_ method: ClientMethod) -> Bool { cancels.contains { $0.method == method } }

    /// Takes the cancel that was kept for a consumer, which has begun.
    mutating func takeCancel(tag: String) -> PendingCall? {
        let index = cancels.firstIndex { if case .basicCancel(tag, _) = $0.method { true } else { false } }
        return index.map { cancels.remove(at: $0) }
    }

    private func isStarting(_ tag: String) -> Bool {
        calls.contains { if case .basicConsume(let consume) = $0.method { consume.consumerTag == tag } else { false } }
    }

    // MARK: Deliveries

    /// The consumer with this tag whose basic.consume has not been answered yet.
    func startingConsumer(tag: String) -> Consumer? {
        calls.lazy.compactMap(\.consumer).first { $0.tag == tag }
    }

    /// Whether the broker has been asked to take back what it has delivered: what comes before its answer is not to be
    /// settled.
    var isRecovering: Bool {
        calls.contains { if case .basicRecover = $0.method { true } else { false } }
    }

    /// Whether deliveries may come with an answer, or around it.
    var mayBringDeliveries: Bool {
        calls.contains { call in
            switch call.method {
            case .basicConsume, .basicCancel, .basicGet: true
            default: false
            }
        }
    }

    /// Those whose answers bring, or are followed by, deliveries that need settling.
    var forDeliveries: [PendingCall] { calls.filter { ($0.consumer?.source ?? $0.source)?.noAck == false } }
}
