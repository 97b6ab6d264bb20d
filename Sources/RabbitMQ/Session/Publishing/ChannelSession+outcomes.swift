internal import Synchronization

/// What the broker says about publishing.
extension ChannelSession {
    /// Begins to confirm, with a wire order that both sides agree on.
    ///
    /// - Parameter register: Called when it is sure to be sent, in the order of the wire.
    func beginConfirms(limit: Int, register: () -> Void = {}) throws(AMQPError) -> PendingCall {
        try begin(.confirmSelect) { state throws(AMQPError) in
            register()
            guard state.confirms == nil else { return }
            state.confirms = ConfirmLedger(limit: limit)
            showMode(state)
        }
    }

    /// The broker stops or resumes the flow of messages.
    func setFlow(isActive: Bool) {
        let waiters = state.withLock { state -> [OneShot<Void>] in
            state.publishers.isStopped = !isActive
            showMode(state)
            return state.takePublishers()
        }
        for waiter in waiters { waiter.succeed(()) }
    }

    /// Has publishers see what has changed for them. Called under the state's lock.
    func showMode(_ state: borrowing ChannelState) {
        let mode = state.publishing
        publishing.store(mode, ordering: .relaxed)
        modeObserver.withLock { observe in
            observe?(mode)
            // What another session takes its place for is that one's to say.
            if mode.contains(.closed) { observe = nil }
        }
    }

    /// Calls `observe` with what is special about publishing, now and whenever it changes, until the channel is closed.
    func showModes(_ observe: @escaping @Sendable (PublishingMode) -> Void) {
        state.withLock { state in
            modeObserver.withLock { $0 = observe }
            showMode(state)
        }
    }

    /// The broker acks or nacks what was published.
    func settlePublished(_ number: UInt64, multiple: Bool, error: AMQPError?) {
        let (outcomes, admitted, setsTimer, isAwaited) = state.withLock { state in
            let outcomes = state.confirms?.settle(number, multiple: multiple, error: error) ?? .init()
            let admitted = state.confirms?.admit() ?? []
            return (outcomes, admitted, state.confirms?.beginsTimer() == true, state.rest.isAwaited)
        }
        tally.confirmed.advance(by: outcomes.confirmed.count)
        if !outcomes.failed.isEmpty {
            // What has come back is counted as it comes.
            tally.nacked.add(outcomes.failed.count { $0.error.code != .undeliverable })
        }
        outcomes.makeKnown()
        giveOut(admitted)
        if setsTimer { admitLater() }
        if isAwaited { tellOfRest() }
    }

    /// How long publishers wait at the most for more places than are free.
    private static let longestWait = Duration.milliseconds(2)

    private func admitLater() {
        // Not weakly: every use of an object that was referred to so is counted the slow way from then on, and this one is
        // used with each message that is to be confirmed.
        _ = DeadlineTimer.shared.add(after: Self.longestWait) {
            self.giveOut(self.state.withLock { $0.confirms?.admitLate() ?? [] })
        }
    }

    /// A place among the unconfirmed is not needed.
    func releasePlace() { giveOut([], given: 1) }

    /// Gives places to those who wait; what was given to those who don't wait any more goes to the next.
    private func giveOut(_ places: [OneShot<Void>], given: Int = 0) {
        var places = places
        var given = given
        while true {
            for place in places where !place.succeed(()) { given += 1 }
            guard given > 0 else { return }
            let setsTimer: Bool
            (places, setsTimer) = state.withLock { state in
                for _ in 0..<given { state.confirms?.release() }
                return (state.confirms?.admit() ?? [], state.confirms?.beginsTimer() == true)
            }
            given = 0
            if setsTimer { admitLater() }
        }
    }

    /// A message came back.
    func reportReturn(_ returned: ReturnedMessage) {
        let hasReceipt = state.withLock { $0.confirms?.markReturned(returned) ?? false }
        tally.returned.advance(by: 1)
        returns.report(returned, hasReceipt: hasReceipt)
    }

    /// Gives every message that is not confirmed its outcome, but for those that are published again, and ends every wait
    /// to publish or to commit.
    func endPublishing(_ error: AMQPError, isReplaced: Bool = false) {
        let host = isReplaced && publishesAgain ? host : nil
        let (outcomes, waiters) = state.withLock { state -> (ConfirmLedger.Outcomes, [OneShot<Void>]) in
            let kept = host == nil ? [] : state.confirms?.takeKept(isVerdict: error.isVerdict) ?? []
            let refused = kept.isEmpty ? nil : host?.keep(kept)
            var (outcomes, places) = state.confirms?.end(Self.outcome(of: error), cause: error) ?? (.init(), [])
            if let refused { outcomes.failed += kept.map { ($0.confirm, Self.outcome(of: refused)) } }
            return (outcomes, places + state.endWaits() + state.publishers.roomWaiters.values)
        }
        tally.count(outcomes)
        outcomes.makeKnown()
        for waiter in waiters { waiter.fail(error.overAnotherCall) }
    }

    /// What the end of the channel means for a message that is not confirmed.
    static func outcome(of error: AMQPError) -> AMQPError {
        AMQPError(
            .outcomeUnknown,
            "the broker did not say what became of the message: \(error.message)",
            underlying: error
        )
    }
}

extension Tally {
    /// Counts the outcomes that the end of a channel gives. One that the broker names as its reason did not arrive.
    fileprivate func count(_ outcomes: ConfirmLedger.Outcomes) {
        guard !outcomes.failed.isEmpty else { return }
        unknownOutcomes.add(outcomes.failed.count { $0.error.code == .outcomeUnknown })
        nacked.add(outcomes.failed.count { $0.error.code != .outcomeUnknown && $0.error.code != .undeliverable })
    }
}
