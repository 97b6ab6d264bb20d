internal import DequeModule
internal import Logging
internal import Synchronization

/// Warns when a delivery of a channel stays unsettled for so long that the broker is about to close the channel for it.
///
/// It looks at the ledger twenty times within the broker's consumer timeout, and does nothing in between. Which queue a
/// delivery came from is known where the channel takes from one; else the warning names all of them.
final class UnsettledWatch: Sendable {
    private struct State {
        /// The queues of consumers that need to settle, by consumer tag.
        var consuming: [String: String] = [:]
        /// The latest of the other queues from which deliveries may be left; a warning names five.
        var others: Deque<String> = []
        var ages = DeliveryAges()
        var warned: UInt64 = 0
        var timer: UInt64?

        mutating func note(_ queue: String) {
            guard !others.contains(queue) else { return }
            if others.count == 8 { others.removeFirst() }
            others.append(queue)
        }
    }

    private struct Warning {
        let tag: UInt64
        let age: UInt64
        let queues: [String]
    }

    private let state = Mutex(State())
    private let timeout: Duration

    /// - Parameter timeout: The broker's consumer timeout; zero to warn of nothing.
    init(timeout: Duration) { self.timeout = timeout }

    deinit {
        if let timer = state.withLock({ $0.timer }) { DeadlineTimer.shared.remove(timer) }
    }

    private var interval: Duration { max(timeout / 20, .milliseconds(10)) }

    /// A consumer that needs to settle has begun.
    func begin(consumerTag: String, queue: String, session: ChannelSession) {
        begin(session) { $0.consuming[consumerTag] = queue }
    }

    /// A message to be settled was asked for and came.
    func begin(queue: String, session: ChannelSession) {
        begin(session) { $0.note(queue) }
    }

    func end(consumerTag: String) {
        state.withLock { state in
            if let queue = state.consuming.removeValue(forKey: consumerTag) { state.note(queue) }
        }
    }

    private func begin(_ session: ChannelSession, _ note: (inout State) -> Void) {
        guard timeout > .zero else { return }
        state.withLock { state in
            note(&state)
            if state.timer == nil { state.timer = nextLook(session) }
        }
    }

    private func nextLook(_ session: ChannelSession) -> UInt64 {
        DeadlineTimer.shared.add(after: interval) { [weak session] in session?.lookForUnsettled() }
    }

    /// Looks for a delivery that is too old, and sets the timer for the next time.
    fileprivate func look(_ session: ChannelSession) {
        let (end, oldest) = session.state.withLock { state -> (UInt64?, UInt64?) in
            (state.closeReason == nil ? state.settlements.end : nil, state.settlements.oldestUnsettled)
        }
        let warning = state.withLock { state -> Warning? in
            state.timer = nil
            guard let end else { return nil }
            let age = state.ages.look(end: end, oldest: oldest, now: MonotonicTime.now)
            if oldest == nil {
                state.others = []
                if state.consuming.isEmpty { return nil }
            }
            state.timer = nextLook(session)
            guard let oldest, let age, oldest > state.warned, age >= timeout.nanoseconds / 5 * 4 else { return nil }
            state.warned = oldest
            return Warning(tag: oldest, age: age, queues: Set(state.others).union(state.consuming.values).sorted())
        }
        if let warning { log(warning, session) }
    }

    /// Away from the timer's queue, which a slow log must not hold up.
    private func log(_ warning: Warning, _ session: ChannelSession) {
        let timeout = timeout
        Task { [logger = session.link.logger, number = session.number] in
            logger.warning(
                "a delivery is unsettled for so long that the broker will soon close its channel",
                metadata: [
                    LogKey.channel: "\(number)",
                    LogKey.queue: "\(warning.queues.prefix(5).map { $0.printable() }.joined(separator: ", "))",
                    LogKey.deliveryTag: "\(warning.tag)", LogKey.age: "\(Double(warning.age / 1_000_000) / 1000) s",
                    LogKey.consumerTimeout: "\(timeout)",
                ]
            )
        }
    }
}

extension ChannelSession {
    fileprivate func lookForUnsettled() { unsettled.look(self) }
}
