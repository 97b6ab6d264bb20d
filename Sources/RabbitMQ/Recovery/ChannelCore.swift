internal import Logging
internal import Synchronization

/// A channel under its handles: it outlives the sessions that it has one after the other.
///
/// Order of the locks: the outbox's, a session's, this one's; the connection's is never held with it.
final class ChannelCore: ChannelHost, Sendable {
    enum Phase {
        /// The session takes calls and messages.
        case ready
        /// The session has ended; another one takes its place.
        case waiting
        case ended(AMQPError)
    }

    struct State {
        var phase = Phase.ready
        var session: ChannelSession
        var setup = ChannelSetup()
        /// In the order in which they began.
        var subscriptions: [Subscription] = []
        /// Messages that the sessions before left unconfirmed.
        var unconfirmed: [UnconfirmedMessage] = []
        /// Those of them that are just being published again.
        var resending: [UnconfirmedMessage] = []
        /// Why the session at present has ended, or is about to.
        var sessionEnd: AMQPError?
        /// A session that has ended while it was in use: not one that was being set up, whose end is heard by who does that.
        var interrupted: ObjectIdentifier?
        /// The transaction that ended with its session, and why: what was published and settled in it is lost.
        var lostTransaction: LostTransaction?
        var waiters: [OneShot<Void>] = []
        /// Whether a task of its own opens it anew. Then the connection does not, nor the other way round.
        var isReopening = false
        /// When such a task is to try next; and since when, in nanoseconds of ``MonotonicTime``, there has been a session.
        var schedule: RecoverySchedule
        var readySince: UInt64
        /// When to take up consumers next that the broker cancels, by their tags, and when it was done the last time.
        var takingUp: [String: (schedule: RecoverySchedule, last: UInt64)] = [:]
        /// Is told of the end of a session that another one follows.
        var onInterruption: (@Sendable (AMQPError) -> Void)?
        /// Whether the application has closed it, or nobody holds it any more.
        var isReleased = false
        /// What takes the messages that come back, until the channel ends.
        var returns: ReturnReporter
        /// What is called with them.
        var returnHandler: ReturnReporter.Handler?
        /// Says that the channel has ended: another one, once it was opened again.
        var closed = Broadcast<AMQPError>()

        var isWaiting: Bool { if case .waiting = phase { true } else { false } }

        mutating func takeWaiters() -> [OneShot<Void>] {
            defer { waiters = [] }
            return waiters
        }
    }

    let connection: ConnectionCore
    let port: PublishingPort
    let state: Mutex<State>
    /// Whether messages that a session leaves unconfirmed are published again on the next one.
    let publishesAgain: Bool

    init(_ session: ChannelSession, of connection: ConnectionCore) {
        self.connection = connection
        publishesAgain = session.publishesAgain
        let configuration = connection.configuration
        port = PublishingPort(
            outbox: session.outbox,
            maxMessageSize: configuration.maxMessageSize,
            isTraced: configuration.tracing != nil
        )
        state = Mutex(
            State(
                session: session,
                schedule: RecoverySchedule(configuration.recovery),
                readySince: MonotonicTime.now,
                returns: session.returns
            )
        )
        session.host = self
        port.open(session)
    }

    var session: ChannelSession { state.withLock { $0.session } }

    var number: UInt16 { session.number }

    var returns: ReturnReporter { state.withLock { $0.returns } }

    var closed: Broadcast<AMQPError> { state.withLock { $0.closed } }

    /// Whether it has ended for good, unless somebody opens it again.
    var hasEnded: Bool { state.withLock { if case .ended = $0.phase { true } else { false } } }

    /// Why it is closed; nil while it is open, or is opened anew.
    var closeReason: AMQPError? {
        let (reason, session) = state.withLock { state -> (AMQPError?, ChannelSession?) in
            switch state.phase {
            case .ended(let reason): (reason, nil)
            case .waiting: (nil, nil)
            case .ready: (nil, state.session)
            }
        }
        return reason ?? session?.state.withLock { $0.closeReason }
    }

    // MARK: What sessions tell

    func decideReplacement(of session: ChannelSession, after reason: AMQPError) -> Bool {
        guard connection.configuration.recovery.isEnabled else { return false }
        let isWithLink = connection.isLosing(session.link)
        let isAlone = !reason.isConnectionFatal && !reason.isOverAnotherCall
        let passes = isAlone && (reason.isRetryable || connection.mayRegainExchange(after: reason, for: self))
        return state.withLock { state in
            guard !state.isReleased else { return false }
            switch state.phase {
            case .ended: return false
            // Not the session at present: a try to reopen that was given up. Nothing ends with it.
            case _ where state.session !== session: return true
            // It is being set up: `finishReopening` throws the reason, and its caller tries again or ends the channel.
            case .waiting: guard isWithLink || isAlone else { return false }
            case .ready:
                guard isWithLink || passes else { return false }
                state.phase = .waiting
                state.interrupted = ObjectIdentifier(session)
                if state.setup.isTransactional { state.lostTransaction = LostTransaction(session, reason) }
            }
            state.sessionEnd = reason
            return true
        }
    }

    /// In front: what stands there came from an earlier session and was not published again yet. These were sent before it.
    func keep(_ messages: [UnconfirmedMessage]) -> AMQPError? {
        state.withLock { state in
            if case .ended(let reason) = state.phase { return reason }
            state.unconfirmed.insert(contentsOf: messages, at: 0)
            return nil
        }
    }

    /// The session has ended for good, or is followed by another.
    func ended(_ session: ChannelSession, _ reason: AMQPError, isReplaced: Bool) {
        guard isReplaced else { return end(reason) }
        let (isInterrupted, observe) = state.withLock { state in
            let isInterrupted = state.interrupted == ObjectIdentifier(session)
            if isInterrupted { state.interrupted = nil }
            return (isInterrupted, state.onInterruption)
        }
        guard isInterrupted else { return }
        observe?(reason)
        // With its link, it is opened with the others.
        reopenAlone(after: reason, on: connection.openLink)
    }

    func beginTakingUpAgain(_ consumer: Consumer, _ reason: AMQPError) -> Bool {
        guard connection.configuration.recovery.isEnabled else { return false }
        let subscription = state.withLock { state in
            state.subscriptions.first { $0.consumer === consumer && !consumer.isCancelling }
        }
        guard let subscription else { return false }
        takeUpAgain(subscription, on: consumer.source.session, reason)
        return true
    }

    var goesOn: Bool {
        guard !connection.isClosing else { return false }
        return state.withLock { state in
            if case .ended = state.phase { return false }
            return !state.isReleased && connection.configuration.recovery.isEnabled
        }
    }

    /// Has `observe` called when a session ends that another one follows.
    func onInterruption(_ observe: @escaping @Sendable (AMQPError) -> Void) {
        state.withLock { $0.onInterruption = observe }
    }

    func forget(_ consumer: Consumer) {
        let isKnown = state.withLock { state -> Bool in
            state.takingUp[consumer.tag] = nil
            return state.subscriptions.contains { $0.consumer === consumer }
        }
        guard isKnown else { return }
        // Before: who shuts down looks here first, and there then.
        connection.keepWhileCalling(consumer)
        let left = state.withLock { state -> QueueIdentity? in
            guard let index = state.subscriptions.firstIndex(where: { $0.consumer === consumer }) else { return nil }
            return state.subscriptions.remove(at: index).queue
        }
        if let left { connection.consumerLeft(left) }
    }

    // MARK: The end

    func release() {
        if let session = releaseSession() { session.closeInBackground() }
    }

    /// Closes with a handshake; without one where there is no session.
    func close() async {
        if let session = releaseSession() { await session.close() }
    }

    /// - Returns: The session that is to be closed, which ends everything; nil if there is none.
    private func releaseSession() -> ChannelSession? {
        let (session, isWaiting, _) = state.withLock { state -> (ChannelSession, Bool, ReturnReporter.Handler?) in
            state.isReleased = true
            guard case .ended = state.phase else { return (state.session, state.isWaiting, nil) }
            // Freed without the lock.
            defer { state.returnHandler = nil }
            return (state.session, false, state.returnHandler)
        }
        guard isWaiting else { return session }
        end(AMQPError(.channelClosed, "the channel was closed by the application"))
        session.closeInBackground()
        return nil
    }

    /// Ends everything that has not ended with the session.
    ///
    /// - Parameter sparesWaiters: Whether nothing ends while somebody waits for a session.
    func end(_ reason: AMQPError, sparesWaiters: Bool = false) {
        let left = state.withLock { state -> State? in
            if case .ended = state.phase { return nil }
            if sparesWaiters, !state.waiters.isEmpty { return nil }
            let left = state
            state.phase = .ended(reason)
            state.waiters = []
            state.unconfirmed = []
            state.resending = []
            state.subscriptions = []
            state.takingUp = [:]
            state.onInterruption = nil
            // It may hold the channel, which can't be opened again.
            if state.isReleased || reason.isConnectionFatal { state.returnHandler = nil }
            return left
        }
        guard let left else { return }
        port.close()
        connection.forget(self)
        for waiter in left.waiters { waiter.fail(reason.overAnotherCall) }
        connection.base.tally.unknownOutcomes.add(left.unconfirmed.count)
        for message in left.unconfirmed { message.confirm.fail(ChannelSession.outcome(of: reason)) }
        for subscription in left.subscriptions {
            connection.keepWhileCalling(subscription.consumer)
            subscription.consumer.end(reason.method == nil ? reason : reason.overAnotherCall)
            connection.consumerLeft(subscription.queue)
        }
        left.returns.end()
        left.closed.set(reason)
    }
}
