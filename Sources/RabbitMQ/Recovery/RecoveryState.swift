/// Whether a connection is up, and what is done about it when it is not. A value without a clock or a socket: times are
/// nanoseconds of a monotonic clock.
struct RecoveryState: Sendable {
    /// A time without a connection.
    struct Outage: Sendable {
        /// Why the connection was lost.
        let reason: AMQPError
        let since: UInt64
        var attempts = 0
        /// Why the last try has failed.
        var lastError: AMQPError?

        /// How long it has lasted.
        func duration(at now: UInt64) -> Duration { .nanoseconds(Int64(clamping: now &- min(since, now))) }
    }

    enum Phase: Sendable {
        case up(since: UInt64)
        case down(Outage)
        case closed(AMQPError)
    }

    /// What to do next about an outage.
    enum Next: Sendable {
        case tryAfter(Duration, attempt: Int)
        case giveUp(AMQPError)
        /// Nothing: it is closed.
        case nothing
    }

    private(set) var phase: Phase
    private let policy: RecoveryPolicy
    private let canChangeLogin: Bool
    /// Whether the broker has let us in before.
    private var wasUp = true
    private var schedule: RecoverySchedule
    /// Whether somebody sees to the outage.
    private var isSeenTo = false

    /// - Parameter canChangeLogin: Whether credentials are asked for at each try, and may be others.
    init(_ policy: RecoveryPolicy, canChangeLogin: Bool, now: UInt64) {
        phase = .up(since: now)
        self.policy = policy
        self.canChangeLogin = canChangeLogin
        schedule = RecoverySchedule(policy)
    }

    /// One for a connection that has not been made yet.
    static func connecting(_ policy: RecoveryPolicy, canChangeLogin: Bool, now: UInt64) -> RecoveryState {
        var state = RecoveryState(policy, canChangeLogin: canChangeLogin, now: now)
        state.phase = .down(Outage(reason: AMQPError(.connectionFailed, "there was no connection yet"), since: now))
        state.isSeenTo = true
        state.wasUp = false
        return state
    }

    var outage: Outage? { if case .down(let outage) = phase { outage } else { nil } }

    /// The link has ended, or ends.
    ///
    /// - Returns: Whether another one takes its place.
    mutating func lost(_ reason: AMQPError, now: UInt64) -> Bool {
        switch phase {
        case .closed: return false
        case .down: return policy.isEnabled && mayPass(reason)
        case .up(let since):
            guard policy.isEnabled, mayPass(reason) else { return false }
            schedule.ended(after: .nanoseconds(Int64(clamping: now &- since)))
            phase = .down(Outage(reason: reason, since: now))
            return true
        }
    }

    /// - Returns: Whether the outage is to be seen to by whoever asks: nobody else does.
    mutating func seeTo() -> Bool {
        guard case .down = phase, !isSeenTo else { return false }
        isSeenTo = true
        return true
    }

    /// What comes next in an outage.
    ///
    /// - Parameters:
    ///   - random: From 0 to 1.
    ///   - limit: A longest delay that is shorter than the policy's, for this time.
    mutating func next(now: UInt64, random: Double, atMost limit: Duration? = nil) -> Next {
        guard case .down(var outage) = phase else { return .nothing }
        var delay = schedule.next(random, atMost: limit)
        var isOver = false
        if outage.attempts > 0, let most = policy.maxDuration?.nanoseconds {
            let elapsed = now &- outage.since
            isOver = elapsed >= most
            // The last try comes when the time is over: delays grow as long as it, and half of it would be given away.
            if !isOver { delay = min(delay, .nanoseconds(Int64(clamping: most - elapsed))) }
        }
        if isOver || outage.attempts >= policy.maxAttempts ?? .max {
            return .giveUp(outage.lastError ?? outage.reason)
        }
        outage.attempts += 1
        phase = .down(outage)
        return .tryAfter(delay, attempt: outage.attempts)
    }

    /// Whether the news that the broker is back may cut a delay short.
    func mayHearNews(after delay: Duration) -> Bool { !schedule.wasCutShort && delay > policy.firstDelay }

    /// A delay was cut short by such news.
    mutating func heardNews() { schedule.cutShort() }

    /// A try has failed.
    ///
    /// - Returns: Whether to try again.
    mutating func failed(_ error: AMQPError) -> Bool {
        guard case .down(var outage) = phase else { return false }
        outage.lastError = error
        phase = .down(outage)
        return mayPass(error)
    }

    /// There is a connection again, and what belongs to it.
    ///
    /// - Returns: The outage that is over; nil if it is closed.
    mutating func restored(now: UInt64) -> Outage? {
        guard case .down(let outage) = phase else { return nil }
        phase = .up(since: now)
        isSeenTo = false
        return outage
    }

    /// It is closed for good.
    ///
    /// - Returns: Whether it was not before.
    mutating func close(_ reason: AMQPError) -> Bool {
        if case .closed = phase { return false }
        phase = .closed(reason)
        return true
    }

    /// Whether what has happened may be otherwise at the next try.
    private func mayPass(_ error: AMQPError) -> Bool {
        if error.isRecoverable { return true }
        if let several = error.underlying as? any SeveralErrors { return several.errors.contains { mayPass($0) } }
        // A peer that hangs up on the credentials without a word may have refused them; it may also go down just then.
        let isGuess = error.code == .authenticationFailed && (error.underlying as? AMQPError)?.code == .connectionLost
        if isGuess, wasUp { return true }
        // Files that were good once are being replaced: one is missing just now, half written, or the other's key.
        if wasUp, let failure = error.underlying as? TLSFailure, failure.step == .configuration {
            return failure.reason != .unsupported
        }
        // A certificate may be replaced while we try, as a broker that is down may be started.
        return error.code == .tlsFailed || canChangeLogin && error.code == .authenticationFailed
    }
}
