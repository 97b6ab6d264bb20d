internal import Logging
internal import Synchronization

/// A connection under its handles: it outlives the links that it has one after the other.
final class ConnectionCore: ConnectionHost, LinkHost, Sendable {
    struct State {
        var recovery: RecoveryState
        /// The link at present, or the last one.
        var link: Link
        var parameters: ConnectionParameters
        /// Which of the endpoints the link is to.
        var endpoint: Int
        /// The link that is being lost, whose place another one takes.
        var lost: Link?
        /// Open ones, and those that are opened anew, in the order of opening.
        var channels: [ChannelCore] = []
        /// Consumers that have ended, while callbacks of them may run. Whoever runs these keeps them alive.
        var leaving = WeakConsumers()
        var waiters: [OneShot<Void>] = []
        var lastError: AMQPError?
        /// Ends the wait for the next try.
        var nextTry: OneShot<Void>?
        /// Sees to an outage.
        var recovering: Task<Void, Never>?
        /// Queues that could not be declared again yet, for a reason that passes.
        var undeclared: Set<String> = []
        /// The names before the last loss of queues that were named anew since, by those that they have at present.
        var formerNames: [String: String] = [:]
        /// What deletes itself, as it was declared again since the last loss, and the channels that had another try.
        var fleeting: [Fleeting: Set<ObjectIdentifier>] = [:]
        /// Whether the application has closed it, or nobody holds it any more: then no link is followed by another.
        var isClosing = false

        var isOpen: Bool { if case .up = recovery.phase { true } else { false } }
    }

    let configuration: ConnectionConfiguration
    let base: LinkBase
    /// What was declared through its handles.
    let topology = TopologyRecord()
    let ended = Broadcast<AMQPError>()
    let events = EventBroadcast()
    let state: Mutex<State>

    var logger: Logger { configuration.logger }

    init(_ opened: OpenedLink, _ configuration: ConnectionConfiguration, _ base: LinkBase) {
        self.configuration = configuration
        self.base = base
        state = Mutex(
            State(
                recovery: RecoveryState(
                    configuration.recovery,
                    canChangeLogin: configuration.credentials.isProvided,
                    now: MonotonicTime.now
                ),
                link: opened.link,
                parameters: opened.parameters,
                endpoint: opened.endpoint
            )
        )
        base.host = self
    }

    /// Looks whether the first link has ended before it could say so.
    func noteEarlyEnd(of link: Link) async {
        guard let reason = await link.endReason, isOpen else { return }
        ended(link, reason, isReplaced: decideReplacement(of: link, after: reason))
    }

    var link: Link { state.withLock { $0.link } }

    var parameters: ConnectionParameters { state.withLock { $0.parameters } }

    /// The link, if there is one, with all that belongs to it.
    var openLink: Link? { state.withLock { $0.isOpen ? $0.link : nil } }

    var isOpen: Bool { state.withLock { $0.isOpen } }

    /// Whether the application has closed it, so that nothing follows what ends.
    var isClosing: Bool { state.withLock { $0.isClosing } }

    /// Whether another link takes the place of this one, or has taken it.
    func isLosing(_ link: Link) -> Bool { state.withLock { $0.lost === link || $0.link !== link } }

    // MARK: What links tell

    func decideReplacement(of link: Link, after reason: AMQPError) -> Bool {
        let now = MonotonicTime.now
        return state.withLock { state in
            guard state.link === link else { return true }
            state.lastError = reason
            guard !state.isClosing, state.recovery.lost(reason, now: now) else { return false }
            state.lost = link
            return true
        }
    }

    func ended(_ link: Link, _ reason: AMQPError, isReplaced: Bool) {
        guard isReplaced else {
            // One that was to take a lost one's place, and that the broker has closed for good: whoever heard of the tries
            // hears that there are no more.
            let givesUp = state.withLock { $0.recovery.outage != nil && !$0.isClosing }
            return givesUp ? giveUp(reason) : finish(overClosing(reason))
        }
        let sees = state.withLock { state in
            guard state.link === link, state.recovery.seeTo() else { return false }
            state.formerNames = [:]
            base.tally.losses.add(1)
            base.tally.down.start()
            return true
        }
        guard sees else { return }
        logger.warning("the connection was lost, and is made again", metadata: [LogKey.reason: "\(reason)"])
        events.send(.lost(reason))
        if configuration.recovery.whileDown == .fail {
            for channel in state.withLock({ $0.channels }) { channel.failWaiters(after: reason) }
        }
        let task = CallTimeout.withNone { Task { await self.recover() } }
        let isClosed = state.withLock { state in
            if case .closed = state.recovery.phase { return true }
            if state.recovery.outage != nil { state.recovering = task }
            return false
        }
        if isClosed { task.cancel() }
    }

    /// Who has closed it wants to hear no other reason.
    private func overClosing(_ reason: AMQPError) -> AMQPError {
        guard reason.code == .connectionLost, state.withLock({ $0.isClosing }) else { return reason }
        return AMQPError(
            .connectionClosed,
            "the connection was closed by the application, and lost before the broker answered",
            underlying: reason
        )
    }

    // MARK: Channels

    /// Not one that has ended before it came here: it was forgotten by then, and would be kept as long as the connection.
    func add(_ channel: ChannelCore) {
        state.withLock { $0.channels.append(channel) }
        if channel.hasEnded { forget(channel) }
    }

    func forget(_ channel: ChannelCore) { state.withLock { state in state.channels.removeAll { $0 === channel } } }

    /// A consumer has ended. A queue that deletes itself goes with its last one.
    func consumerLeft(_ queue: QueueIdentity) {
        guard queue.queue.autoDelete else { return }
        let name = queue.name
        let channels = state.withLock { $0.channels }
        let isConsumed = channels.contains { channel in
            channel.state.withLock { state in state.subscriptions.contains { $0.queue.name == name } }
        }
        if !isConsumed { topology.consumersLeft(name) }
    }

    /// Whether the broker has a queue, asked on a channel of its own.
    func hasQueue(_ name: String) async throws -> Bool {
        guard let link = openLink else { throw AMQPError(.connectionLost, "there is no connection at present") }
        let session = try await ChannelSession.open(on: link)
        defer { session.closeInBackground() }
        do {
            _ = try await session.call(.queueDeclare(ClientMethod.DeclareQueue(name: name, passive: true)))
            return true
        } catch let error as AMQPError where error.code == .notFound && !error.isRetryable {
            return false
        } catch let error as AMQPError where error.code == .resourceLocked {
            return true
        }
    }

    /// The link, which is waited for as long as a call may take.
    ///
    /// - Parameter start: When the call began, in nanoseconds of ``MonotonicTime``.
    func readyLink(since start: UInt64 = MonotonicTime.now) async throws -> Link {
        let timeout = configuration.timeoutOfCall
        while true {
            let waiter = OneShot<Void>()
            let link = try state.withLock { state throws(AMQPError) -> Link? in
                switch state.recovery.phase {
                case .up: return state.link
                case .closed(let reason): throw reason.overAnotherCall
                case .down(let outage):
                    guard configuration.recovery.whileDown == .wait else { throw .noConnection(after: outage.reason) }
                    state.waiters.append(waiter)
                    return nil
                }
            }
            if let link { return link }
            do {
                try await withDeadline(after: timeout.left(since: start)) {
                    waiter.fail(
                        AMQPError(.timedOut, "the connection was lost, and not there again within \(timeout)")
                    )
                } _: {
                    try await waiter.value()
                }
            } catch {
                state.withLock { $0.waiters.removeAll { $0 === waiter } }
                throw error
            }
        }
    }

    // MARK: The end

    func release() { beginClosing() }

    func close() async {
        // The queue keeps the time, unless the application's log holds it up.
        await close(atMost: configuration.closeTimeout.clampedToCentury + .seconds(1))
    }

    func close(atMost duration: Duration) async {
        beginClosing()
        _ = await ended.wait(atMost: duration)
    }

    private func beginClosing() {
        let link = state.withLock { state in
            state.isClosing = true
            return state.isOpen ? state.link : nil
        }
        // If it is lost just now, that is the end.
        if let link { return link.onQueue { $0.beginClosing() } }
        finish(AMQPError(.connectionClosed, "the connection was closed by the application"))
    }

    /// Ends everything, for good.
    func finish(_ reason: AMQPError) {
        let left = state.withLock { state -> State? in
            guard state.recovery.close(reason) else { return nil }
            let left = state
            state.waiters = []
            state.nextTry = nil
            state.recovering = nil
            state.lastError = reason
            base.tally.down.stop()
            base.tally.blocked.stop()
            return left
        }
        guard let left else { return }
        left.nextTry?.succeed(())
        for channel in left.channels { channel.end(reason) }
        for waiter in left.waiters { waiter.fail(reason.overAnotherCall) }
        // One that is being set up.
        left.link.onQueue { $0.beginClosing() }
        // One that is being connected.
        left.recovering?.cancel()
        ended.set(reason)
        events.finish()
    }
}
