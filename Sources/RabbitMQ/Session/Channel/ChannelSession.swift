internal import DequeModule
internal import Logging
internal import Synchronization

/// One channel on one link, from channel.open to its end. Any thread uses it; ``ChannelReceiver`` takes its frames.
///
/// Order of the locks: the outbox's, then this one's.
final class ChannelSession: SettlementWriter, Sendable {
    let link: Link
    let outbox: Outbox
    let number: UInt16
    let state = Mutex(ChannelState())
    /// What is special about publishing at present. Changed under the outbox's lock or before what depends on it: closed
    /// before the channel's last frame is appended, and read under the outbox's lock by whoever appends another.
    let publishing = Atomic<PublishingMode>(.plain)
    /// Is told of that, while messages may come.
    let modeObserver = Mutex<(@Sendable (PublishingMode) -> Void)?>(nil)
    /// Whether messages are kept until they are confirmed, to be published again on the session after this one.
    let publishesAgain: Bool
    /// Whether we close it so that another session takes its place: one that could not be set up, or one whose consumer the
    /// broker cancelled for what it keeps (`ChannelCore.replace`). Consumers and messages go on with the next.
    let isAbandoned = Atomic<Bool>(false)
    let closed = Broadcast<AMQPError>()
    let returns: ReturnReporter
    let tally: Tally
    let unsettled: UnsettledWatch
    /// Whether a message was reported that nobody waited for, and whose outcome the channel's end made unknown: the others
    /// have the same reason.
    let hasReportedUnseen = Atomic<Bool>(false)
    private let weakHost = Mutex(WeakHost())

    /// - Parameters:
    ///   - returns: What takes the messages that come back, of all sessions of the channel.
    ///   - publishesAgain: Whether messages are kept until they are confirmed.
    init(link: Link, number: UInt16, returns: ReturnReporter? = nil, publishesAgain: Bool = false) {
        self.link = link
        outbox = link.outbox
        tally = link.base.tally
        self.number = number
        self.publishesAgain = publishesAgain
        self.returns = returns ?? ReturnReporter(logger: link.logger, gauge: link.gauge)
        unsettled = UnsettledWatch(timeout: link.configuration.consumerTimeout)
    }

    /// Whether anything can be sent: as ``state`` has it, but without its lock. Who finds it closed finds the reason there.
    var isOpen: Bool { !publishing.load(ordering: .relaxed).contains(.closed) }

    private struct WeakHost: Sendable { weak var host: (any ChannelHost)? }

    /// What the channel has beyond this session's end, if anything.
    var host: (any ChannelHost)? {
        get { weakHost.withLock { $0.host } }
        set { weakHost.withLock { $0.host = newValue } }
    }

    /// Opens a channel. A task that is cancelled meanwhile leaves no channel behind.
    static func open(on link: Link, publishesAgain: Bool = false) async throws -> ChannelSession {
        let session = try make(on: link, publishesAgain: publishesAgain)
        do {
            _ = try await session.answer(to: try session.beginOpening())
            return session
        } catch {
            session.closeInBackground()
            throw error
        }
    }

    /// One that is to be opened, on a number that is free.
    static func make(on link: Link, publishesAgain: Bool = false) throws(AMQPError) -> ChannelSession {
        if let ended = link.ended.current { throw ended }
        guard let number = link.numbers.withLock({ $0.take() }) else {
            throw AMQPError(.tooManyChannels, "all channels that the broker allows are in use")
        }
        return ChannelSession(link: link, number: number, publishesAgain: publishesAgain)
    }

    /// Has the link know it, and sends channel.open.
    func beginOpening() throws(AMQPError) -> PendingCall {
        link.register(number) { ChannelReceiver(session: self, hasPredecessor: $0) }
        return try begin(.channelOpen)
    }

    // MARK: Calls

    /// Sends a method and waits for the broker's answer; before a commit is answered, it is sent behind that.
    ///
    /// A task that is cancelled stops waiting; the answer is taken off when it comes, so that the channel stays in step.
    ///
    /// - Parameter timeout: How long to wait; the configuration's `callTimeout` by default.
    func call(_ method: ClientMethod, timeout: Duration? = nil) async throws -> Reply {
        try await answer(to: try begin(method), timeout: timeout)
    }

    /// Waits for the answer to a call that was sent.
    ///
    /// - Parameter start: When the time began, in nanoseconds of ``MonotonicTime``; now by default.
    func answer(to call: PendingCall, timeout: Duration? = nil, since start: UInt64? = nil) async throws -> Reply {
        let timeout = timeout ?? link.configuration.timeoutOfCall
        return try await link.waitForPeer(atMost: timeout.left(since: start)) {
            call.reply.fail(AMQPError(.timedOut, "\(call.method.name) was not answered within \(timeout)"))
        } _: {
            try await call.reply.value()
        }
    }

    /// Sends a method that is answered.
    ///
    /// - Parameters:
    ///   - consumer: The consumer that begins with the answer.
    ///   - source: What a message that is asked for belongs to.
    ///   - isAwaited: Whether somebody will wait for the answer.
    ///   - isResumption: Whether the consumer was there before.
    ///   - register: Called when it is sure to be sent, in the order of the wire.
    func begin(
        _ method: ClientMethod,
        consumer: Consumer? = nil,
        source: DeliverySource? = nil,
        isAwaited: Bool = true,
        isResumption: Bool = false,
        register: (inout ChannelState) throws(AMQPError) -> Void = { _ in }
    ) throws(AMQPError) -> PendingCall {
        let call = PendingCall(
            method: method,
            reply: OneShot(),
            consumer: consumer,
            source: source,
            isAwaited: isAwaited,
            isResumption: isResumption
        )
        try send(method) { state throws(AMQPError) in
            try state.register(call)
            try register(&state)
        }
        // It leaves nothing to settle.
        if case .basicRecover = method { tellOfRest() }
        return call
    }

    /// Sends a method whose answer nobody waits for.
    func callInBackground(_ method: ClientMethod) { _ = try? begin(method, isAwaited: false) }

    /// Sends the cancel that has waited for a consumer to begin, if there is one.
    func sendCancel(tag: String) {
        guard let cancel = state.withLock({ $0.takeCancel(tag: tag) }) else { return }
        do throws(AMQPError) {
            try send(cancel.method) { state throws(AMQPError) in try state.register(cancel) }
        } catch {
            cancel.reply.fail(error)
        }
    }

    /// Sends a method that is not answered.
    func send(_ method: ClientMethod) throws(AMQPError) {
        try send(method) { state throws(AMQPError) in if let refusal = state.refusal { throw refusal } }
    }

    private func send(
        _ method: ClientMethod,
        register: (inout ChannelState) throws(AMQPError) -> Void
    ) throws(AMQPError) {
        // A closed channel's reason says more than that the link has ended.
        if let refusal = state.withLock({ $0.refusal }) { throw refusal }
        try outbox.send(method, channel: number, from: link.sender, settling: self) { () throws(AMQPError) in
            try state.withLock { state throws(AMQPError) in
                try register(&state)
                // It was encoded to see that it can be, and goes out once the commit is answered.
                return method != .txCommit && state.holdBack(.method(method)) ? .rewind : .keep
            }
        }
    }

    /// What is thrown where the state machine has let an answer pass that is none. It never does.
    static var wrongAnswer: AMQPError { AMQPError(.protocolViolation, "the broker gave an answer of another kind") }

    // MARK: Closing

    /// Closes with a handshake, also in a task that is cancelled; never for longer than the configuration's `closeTimeout`.
    func close() async {
        closeInBackground()
        link.gauge.callBegan()
        defer { link.gauge.callEnded() }
        guard await closed.wait(atMost: link.configuration.closeTimeout) == nil else { return }
        giveUp(AMQPError(.channelClosed, "the channel was closed; the broker did not answer"))
    }

    /// Closes without waiting for the broker.
    func closeInBackground() {
        let error = AMQPError(.channelClosed, "the channel was closed by the application")
        guard link.nackSparesLimit.load(ordering: .relaxed),
            state.withLock({ $0.settlements.unsettledCount > 0 || $0.mayBeDeliveredTo })
        else { return beginClosing(error) }
        link.onQueue { link in
            guard let receiver = link.receiver(of: self) else { return self.beginClosing(error) }
            receiver.close(error)
        }
    }

    /// Closes it while what belongs to it goes on with another one: at the latest when the broker's answer has not come
    /// within the configuration's `closeTimeout`. The number stays taken until it comes.
    func abandon(
        _ reason: AMQPError = AMQPError(.channelClosed, "another session has taken the place of this one")
    ) {
        isAbandoned.store(true, ordering: .relaxed)
        beginClosing(reason)
        _ = DeadlineTimer.shared.add(after: link.configuration.closeTimeout) { [weak self] in
            guard let self, self.closed.current == nil else { return }
            self.link.onQueue { $0.receiver(of: self)?.end(reason) }
        }
    }

    /// Sends channel.close, unless the channel is closing or closed.
    func beginClosing(_ error: AMQPError, replyCode: ReplyCode = .success) {
        var unanswered: Deque<PendingCall> = []
        try? outbox.send(
            .channelClose(replyCode: replyCode.rawValue, replyText: replyCode == .success ? "Goodbye" : error.message),
            channel: number,
            from: link.sender,
            settling: self
        ) { () throws(AMQPError) in
            unanswered = try state.withLock { state throws(AMQPError) -> Deque<PendingCall> in
                if let reason = state.closeReason { throw reason }
                defer { showMode(state) }
                return state.beginClosing(error)
            }
            return .keep
        }
        let isReplaced = isAbandoned.load(ordering: .relaxed)
        for call in unanswered { call.reply.fail(isReplaced ? error.overAnotherCall : error) }
        if !isOpen { endPublishing(error, isReplaced: isReplaced) }
    }

    /// Ends without the broker's answer. The number stays taken until it comes.
    private func giveUp(_ error: AMQPError) {
        // It may not have been sent yet, where consumers were waited for: the broker would keep the channel.
        beginClosing(error)
        finish(error)
        link.onQueue { $0.receiver(of: self)?.end(error) }
    }

    /// Logs why the channel is about to end: with the error that is thrown to those who wait for something it is no news,
    /// unless a consumer ends of which nobody is told.
    ///
    /// - Parameter hearing: Whether some, and whether all, of the consumers tell somebody.
    func logEnd(_ event: Logger.Message, _ error: AMQPError, _ hearing: (some: Bool, all: Bool)) {
        let isHeard = hearing.some || closed.isAwaited || state.withLock { $0.isAwaited }
        link.logger.log(
            level: isHeard && hearing.all ? .debug : .warning,
            event,
            metadata: [LogKey.channel: "\(number)", LogKey.reason: "\(error)"]
        )
    }

    /// Makes the end known: to calls that wait, and to whoever waits for the end.
    ///
    /// - Parameters:
    ///   - isReplaced: Whether another session takes its place.
    ///   - settle: Called with the reason that counts when nothing can be sent any more, before anybody knows:
    ///     whoever knows of the end must find consumers ended and the number free.
    func finish(_ error: AMQPError, isReplaced: Bool = false, settle: (AMQPError) -> Void = { _ in }) {
        let (calls, reason) = state.withLock { state in
            let calls = state.close(error)
            showMode(state)
            return (calls, state.closeReason ?? error)
        }
        settle(reason)
        // Answers come in order: the broker means the first call of that method.
        let meant =
            if let method = error.method {
                calls.firstIndex { $0.method.name == method.name }
            } else {
                calls.count == 1 ? 0 : nil
            }
        for index in calls.indices { calls[index].reply.fail(index == meant ? error : error.overAnotherCall) }
        endPublishing(error, isReplaced: isReplaced)
        host?.ended(self, reason, isReplaced: isReplaced)
        closed.set(reason)
    }
}
