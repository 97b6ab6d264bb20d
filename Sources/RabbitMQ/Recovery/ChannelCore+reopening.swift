internal import Logging
internal import Synchronization

/// A session takes the place of another one, in steps, so that those of many channels go out together.
extension ChannelCore {
    /// A session that is being set up.
    struct Reopening: Sendable {
        let session: ChannelSession
        var calls: [PendingCall] = []
        /// The call of each consumer.
        var consuming: [(subscription: Subscription, call: PendingCall)] = []
    }

    /// Opens a session on a link, and tells the broker what it told the last one; does not wait.
    func beginReopening(on link: Link) throws(AMQPError) -> Reopening {
        let setup = try state.withLock { state throws(AMQPError) in
            if case .ended(let reason) = state.phase { throw reason }
            return state.setup
        }
        let number = number
        guard let number = link.numbers.withLock({ $0.take(preferring: number) }) else {
            throw AMQPError(.tooManyChannels, "the broker allows fewer channels than before")
        }
        let session = ChannelSession(
            link: link,
            number: number,
            returns: returns,
            publishesAgain: publishesAgain
        )
        session.host = self
        let isWanted = state.withLock { state in
            guard state.isWaiting, !state.isReleased else { return false }
            state.session = session
            state.sessionEnd = nil
            return true
        }
        guard isWanted else {
            link.numbers.withLock { $0.release(number) }
            throw AMQPError(.channelClosed, "the channel was closed by the application")
        }
        var reopening = Reopening(session: session)
        reopening.calls.append(try session.beginOpening())
        for method in setup.methods {
            if case .confirmSelect = method, let limit = setup.confirmLimit {
                reopening.calls.append(try session.beginConfirms(limit: limit))
            } else {
                reopening.calls.append(try session.begin(method))
            }
        }
        return reopening
    }

    /// Begins the consumers anew; does not wait. One that can't be sent ends with its reason.
    ///
    /// - Throws: Why the session takes nothing any more.
    func beginConsuming(_ reopening: inout Reopening) throws(AMQPError) {
        let (subscriptions, setup) = state.withLock { ($0.subscriptions, $0.setup) }
        var prefetch = ChannelSetup.Prefetch()
        for subscription in subscriptions { try begin(subscription, setup, &prefetch, &reopening) }
        try limit(setup.each, setup, &prefetch, &reopening)
    }

    private func begin(
        _ subscription: Subscription,
        _ setup: ChannelSetup,
        _ prefetch: inout ChannelSetup.Prefetch,
        _ reopening: inout Reopening
    ) throws(AMQPError) {
        try limit(subscription.prefetch, setup, &prefetch, &reopening)
        do throws(AMQPError) {
            reopening.consuming.append((subscription, try begin(subscription, on: reopening.session)))
        } catch {
            guard reopening.session.isOpen, !error.isConnectionFatal else { throw error }
            // Its method can't be sent, on no session of this link: because it is longer than a frame may be now, for
            // example. Nothing would come, and whoever waits would never hear why.
            let consumer = subscription.consumer
            connection.logger.warning(
                "a consumer could not be begun again",
                metadata: [LogKey.consumerTag: "\(consumer.tag.printable())", LogKey.reason: "\(error)"]
            )
            forget(consumer)
            consumer.end(error)
        }
    }

    /// Sets the limit for each consumer that begins from now on, unless it is so.
    private func limit(
        _ wanted: ChannelSetup.Prefetch,
        _ setup: ChannelSetup,
        _ prefetch: inout ChannelSetup.Prefetch,
        _ reopening: inout Reopening
    ) throws(AMQPError) {
        guard wanted != prefetch else { return }
        prefetch = wanted
        for method in setup.limiting(each: wanted) { reopening.calls.append(try reopening.session.begin(method)) }
    }

    func begin(_ subscription: Subscription, on session: ChannelSession) throws(AMQPError) -> PendingCall {
        let (consumer, queue) = (subscription.consumer, subscription.queue.name)
        let source = subscription.options.makeSource(session, queue)
        // Freed without the locks.
        let last = consumer.source
        defer { withExtendedLifetime(last) {} }
        var isCancelled = false
        let call = try session.begin(
            subscription.method(of: source),
            consumer: consumer,
            isResumption: true,
            register: { (_) throws(AMQPError) in isCancelled = consumer.resume(from: source) }
        )
        // Whoever has cancelled it by then has told another session, or this one too early.
        if isCancelled { session.callInBackground(.basicCancel(consumerTag: consumer.tag, noWait: false)) }
        if !consumer.noAck { session.unsettled.begin(consumerTag: consumer.tag, queue: queue, session: session) }
        return call
    }

    /// Waits for the answers.
    ///
    /// - Returns: Whether the session is open. If not, the broker has refused a consumer for a reason that does not pass:
    ///   the only one has ended with it; of several they are to be begun one by one, to see which it is.
    /// - Throws: Another error that ended the session.
    func finishReopening(_ reopening: Reopening) async throws -> Bool {
        do {
            return try await hearAnswers(to: reopening)
        } catch {
            giveUp(reopening)
            throw error
        }
    }

    /// Ends a session that could not be set up: it may be open, have consumers that nobody would hear, and answer too late.
    private func giveUp(_ reopening: Reopening) {
        reopening.session.abandon()
        for (subscription, _) in reopening.consuming { subscription.consumer.interrupt() }
    }

    private func hearAnswers(to reopening: Reopening) async throws -> Bool {
        var failure: AMQPError?
        for call in reopening.calls {
            do {
                _ = try await reopening.session.answer(to: call)
            } catch let error as AMQPError {
                failure = failure ?? error
                if !error.isOverAnotherCall { throw error }
            }
        }
        for (subscription, call) in reopening.consuming {
            do {
                _ = try await reopening.session.answer(to: call)
            } catch let error as AMQPError {
                failure = failure ?? error
                if error.isOverAnotherCall { continue }
                guard !error.isConnectionFatal, !error.isRetryable else { throw error }
                // It will be there, once it can be declared.
                if connection.isDeclaring(subscription.queue.name) { throw error.overAnotherCall }
                // It went with the consumers of the lost connection: it is declared again before the next try.
                if connection.mayRegainQueue(after: error, for: self) { throw error.overAnotherCall }
                // A queue answers in its own time, the broker's refusal may overtake it: of several, any may be meant.
                if reopening.consuming.count > 1 { return false }
                forget(subscription.consumer)
                subscription.consumer.end(error)
                return false
            }
        }
        if let failure { throw failure }
        return true
    }

    /// Lets calls and messages go to the session; those that the last one left unconfirmed first.
    ///
    /// - Returns: How many of these were published again.
    @discardableResult
    func completeReopening(_ reopening: Reopening) throws(AMQPError) -> Int {
        let session = reopening.session
        let unconfirmed = state.withLock { state in
            // A queue that the broker named has another name now.
            state.resending = state.unconfirmed.map { message in
                currentKey(message.kept.exchange, message.kept.routingKey).map(message.readdressed) ?? message
            }
            state.unconfirmed = []
            return state.resending
        }
        var taken = 0
        let resent: Int
        do throws(AMQPError) {
            resent = try port.open(session, publishingAgain: unconfirmed, taken: &taken)
        } catch {
            putBack(unconfirmed.dropFirst(taken))
            throw error
        }
        var observe: (@Sendable (AMQPError) -> Void)?
        let (waiters, reason) = state.withLock { state -> ([OneShot<Void>], AMQPError?) in
            state.resending = []
            guard state.isWaiting, !state.isReleased, state.session === session else {
                return ([], AMQPError(.channelClosed, "the channel was closed by the application"))
            }
            // It may have ended meanwhile, or be about to.
            if let reason = state.sessionEnd {
                // Requests may have gone to it since the port is open, whose replies can't come any more.
                observe = state.onInterruption
                return ([], reason)
            }
            state.phase = .ready
            state.readySince = MonotonicTime.now
            return (state.takeWaiters(), nil)
        }
        if let reason {
            observe?(reason)
            // One that ends by itself has its messages kept.
            if !goesOn { session.closeInBackground() }
            throw reason
        }
        for waiter in waiters { waiter.succeed(()) }
        return resent
    }

    /// The routing key in place of one that was the name of a queue, for a message that the queue itself is to get; nil if
    /// it is what it was.
    func currentKey(_ exchange: String, _ routingKey: String) -> String? {
        exchange.isEmpty ? connection.topology.currentName(of: routingKey) : nil
    }

    private func putBack(_ messages: ArraySlice<UnconfirmedMessage>) {
        let reason = state.withLock { state -> AMQPError? in
            state.resending = []
            if case .ended(let reason) = state.phase { return reason }
            state.unconfirmed += messages
            return nil
        }
        guard let reason else { return }
        connection.base.tally.unknownOutcomes.add(messages.count)
        for message in messages { message.confirm.fail(ChannelSession.outcome(of: reason)) }
    }

    /// All steps, for this channel alone. Consumers that the broker refuses end, and the others go on.
    ///
    /// - Parameter isOneByOne: Whether one of several is known to be refused.
    /// - Returns: How many messages were published again.
    @discardableResult
    func reopen(on link: Link, isOneByOne: Bool = false) async throws -> Int {
        var isOneByOne = isOneByOne
        while true {
            var reopening = try beginReopening(on: link)
            if isOneByOne {
                guard try await consumeOneByOne(reopening) else { continue }
            } else {
                do throws(AMQPError) {
                    try beginConsuming(&reopening)
                } catch {
                    giveUp(reopening)
                    throw error
                }
                isOneByOne = true
                guard try await finishReopening(reopening) else { continue }
            }
            return try completeReopening(reopening)
        }
    }

    /// - Returns: Whether the session is open. If not, a consumer was refused, and has ended.
    private func consumeOneByOne(_ reopening: Reopening) async throws -> Bool {
        guard try await finishReopening(reopening) else { return false }
        let (subscriptions, setup) = state.withLock { ($0.subscriptions, $0.setup) }
        var prefetch = ChannelSetup.Prefetch()
        // All that have begun: with the session, what came for any of them is over.
        var begun = Reopening(session: reopening.session)
        do {
            for subscription in subscriptions where !subscription.consumer.isCancelling {
                var one = Reopening(session: reopening.session)
                try begin(subscription, setup, &prefetch, &one)
                begun.consuming += one.consuming
                guard try await hearAnswers(to: one) else { return false }
            }
            var last = Reopening(session: reopening.session)
            try limit(setup.each, setup, &prefetch, &last)
            return try await hearAnswers(to: last)
        } catch {
            giveUp(begun)
            throw error
        }
    }

    var isWaiting: Bool { state.withLock { $0.isWaiting } }
}
