internal import DequeModule

/// The calls of a channel that wait for their answers. A value.
///
/// Answers come in the order of the calls (AMQP 0-9-1, section 4.7), but for some that RabbitMQ gives later.
struct CallQueue: Sendable {
    private var calls: Deque<PendingCall> = []

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
        defer { calls = [] }
        return calls
    }

    /// Whether somebody waits for an answer.
    var isAwaited: Bool { calls.contains { $0.isAwaited && !$0.reply.isSettled } }

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
