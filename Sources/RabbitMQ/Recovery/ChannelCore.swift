internal import Logging
internal import Synchronization

/// A channel under its handles: it outlives the sessions that it has one after the other.
///
/// Order of the locks: the outbox's, this one's, a session's; the connection's is never held with it.
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
        /// Why what was published and settled in the transaction under way is lost.
        var lostTransaction: AMQPError?
        var waiters: [OneShot<Void>] = []
        /// Whether a task of its own opens it anew. Then the connection does not, nor the other way round.
        var isReopening = false
        /// Is told of the end of a session that another one follows.
        var onInterruption: (@Sendable (AMQPError) -> Void)?
        /// How many settlements came too late.
        var staleSettlements = 0
        /// Whether the application has closed it, or nobody holds it any more.
        var isReleased = false

        var isWaiting: Bool { if case .waiting = phase { true } else { false } }

        mutating func takeWaiters() -> [OneShot<Void>] {
            defer { waiters = [] }
            return waiters
        }
    }

    let connection: ConnectionCore
    let port: PublishingPort
    let returns: ReturnReporter
    let closed = Broadcast<AMQPError>()
    let state: Mutex<State>

    init(_ session: ChannelSession, of connection: ConnectionCore) {
        self.connection = connection
        returns = session.returns
        let configuration = connection.configuration
        port = PublishingPort(
            outbox: session.outbox,
            maxMessageSize: configuration.maxMessageSize
        )
        state = Mutex(State(session: session))
        session.host = self
        port.open(session)
    }

    var session: ChannelSession { state.withLock { $0.session } }

    var number: UInt16 { session.number }

    /// Why it is closed; nil while it is open, or is opened anew.
    var closeReason: AMQPError? {
        state.withLock { state in
            switch state.phase {
            case .ended(let reason): reason
            case .waiting: nil
            case .ready: state.session.state.withLock { $0.closeReason }
            }
        }
    }

    // MARK: What sessions tell

    func survives(_ session: ChannelSession, _ reason: AMQPError) -> Bool {
        guard connection.configuration.recovery.isEnabled else { return false }
        let isWithLink = connection.isLosing(session.link)
        // The broker has closed the channel alone, perhaps for a reason that passes.
        let mayPass = reason.isRetryable && !reason.isConnectionFatal && !reason.isOverAnotherCall
        return state.withLock { state in
            if case .ended = state.phase { return false }
            guard !state.isReleased else { return false }
            // One that is being set up, or was to be: whoever does so decides.
            if state.session !== session || state.isWaiting { return true }
            guard isWithLink || mayPass else { return false }
            state.phase = .waiting
            if state.setup.isTransactional { state.lostTransaction = reason }
            return true
        }
    }

    /// They come before what the session was still to get.
    func keep(_ messages: [UnconfirmedMessage]) {
        let refused = state.withLock { state -> AMQPError? in
            if case .ended(let reason) = state.phase { return reason }
            state.unconfirmed.insert(contentsOf: messages, at: 0)
            return nil
        }
        guard let refused else { return }
        for message in messages { message.confirm.fail(ChannelSession.outcome(of: refused)) }
    }

    /// The session has ended for good, or is followed by another.
    func ended(_ session: ChannelSession, _ reason: AMQPError, survives: Bool) {
        guard survives else { return end(reason) }
        state.withLock { $0.onInterruption }?(reason)
        // With its link, it is opened with the others.
        if connection.isOpen { reopenAlone(after: reason) }
    }

    func takesUpAgain(_ consumer: Consumer, _ reason: AMQPError) -> Bool {
        guard connection.configuration.recovery.isEnabled else { return false }
        let subscription = state.withLock { state in
            state.subscriptions.first { $0.consumer === consumer && !consumer.isCancelling }
        }
        guard let subscription else { return false }
        takeUpAgain(subscription, reason)
        return true
    }

    var goesOn: Bool {
        state.withLock { state in
            if case .ended = state.phase { return false }
            return !state.isReleased && connection.configuration.recovery.isEnabled
        }
    }

    /// Has `observe` called when a session ends that another one follows.
    func onInterruption(_ observe: @escaping @Sendable (AMQPError) -> Void) {
        state.withLock { $0.onInterruption = observe }
    }

    func countStale() { state.withLock { $0.staleSettlements += 1 } }

    func forget(_ consumer: Consumer) {
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
        let (session, isWaiting) = state.withLock { state in
            state.isReleased = true
            return (state.session, state.isWaiting)
        }
        guard isWaiting else { return session }
        end(AMQPError(.channelClosed, "the channel was closed by the application"))
        session.closeInBackground()
        return nil
    }

    /// Ends everything that has not ended with the session.
    func end(_ reason: AMQPError) {
        let left = state.withLock { state -> State? in
            if case .ended = state.phase { return nil }
            let left = state
            state.phase = .ended(reason)
            state.waiters = []
            state.unconfirmed = []
            state.subscriptions = []
            state.onInterruption = nil
            return left
        }
        guard let left else { return }
        port.close()
        connection.forget(self)
        for waiter in left.waiters { waiter.fail(reason.overAnotherCall) }
        for message in left.unconfirmed { message.confirm.fail(ChannelSession.outcome(of: reason)) }
        for subscription in left.subscriptions {
            subscription.consumer.end(reason.method == nil ? reason : reason.overAnotherCall)
            connection.consumerLeft(subscription.queue)
        }
        returns.end()
        closed.set(reason)
    }
}
