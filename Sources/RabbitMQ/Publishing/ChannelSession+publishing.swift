internal import DequeModule
internal import Synchronization

/// A message on its way to the link.
struct Publish: Sendable {
    var message: Message
    var exchange: String
    var routingKey: String
    var mandatory: Bool
}

extension ChannelSession {
    /// Publishes a message where nothing is special and there is room: then nothing suspends.
    ///
    /// - Returns: Whether it was handed over. If not, ``publish(_:)`` does what there is to do.
    @inline(__always)
    func publishPlainly(
        _ message: borrowing Message,
        exchange: String,
        routingKey: String,
        mandatory: Bool
    ) throws(AMQPError) -> Bool {
        try message.validate()
        try ShortString.validate(exchange, name: "exchange name")
        try ShortString.validate(routingKey, name: "routing key")
        guard message.body.count <= maxMessageSize else { throw tooLarge(message.body.count) }
        return try outbox.publish(size: message.body.count) { state throws(AMQPError) -> Bool in
            guard isOpen.load(ordering: .relaxed) else { throw endReason }
            guard publishing.load(ordering: .relaxed) == .plain else { return false }
            try state.buffer.appendPublish(
                message,
                exchange: exchange,
                routingKey: routingKey,
                mandatory: mandatory,
                channel: number,
                frameMax: state.frameMax,
                pool: state.pool,
                template: state.template
            )
            return true
        }
    }

    /// Publishes a message that was checked, waiting for what is to be waited for: room, the broker's flow, a place among
    /// the unconfirmed.
    func publish(_ publish: Publish) async throws -> PendingConfirm? {
        try await waitForFlow()
        guard publishing.load(ordering: .relaxed).contains(.confirming) else {
            try await append(publish, confirmation: nil)
            return nil
        }
        try await reservePlace()
        let confirmation = PendingConfirm(session: self)
        do {
            try await append(publish, confirmation: confirmation)
        } catch {
            releasePlace()
            throw error
        }
        return confirmation
    }

    private func append(_ publish: Publish, confirmation: PendingConfirm?) async throws {
        let size = publish.message.body.count
        var isAdmitted = false
        while let admission = try outbox.publish(
            size: size,
            isAdmitted: isAdmitted,
            append: { state throws(AMQPError) in try append(publish, confirmation: confirmation, to: &state) }
        ) {
            try await waitForRoom(admission)
            isAdmitted = true
        }
    }

    private func append(
        _ publish: Publish,
        confirmation: PendingConfirm?,
        to outbox: inout Outbox.State
    ) throws(AMQPError) {
        guard isOpen.load(ordering: .relaxed) else { throw endReason }
        try outbox.buffer.appendPublish(
            publish.message,
            exchange: publish.exchange,
            routingKey: publish.routingKey,
            mandatory: publish.mandatory,
            channel: number,
            frameMax: outbox.frameMax,
            pool: outbox.pool,
            template: outbox.template
        )
        guard publishing.load(ordering: .relaxed).contains(.confirming) else { return }
        // Under the outbox's lock: numbers are given in the order of the wire.
        state.withLock { state in
            state.confirms?.publish(
                confirmation ?? PendingConfirm(session: self),
                hasPlace: confirmation != nil,
                mandatory: publish.mandatory
                    ? ConfirmLedger.Mandatory(
                        exchange: publish.exchange,
                        routingKey: publish.routingKey,
                        message: publish.message
                    ) : nil
            )
        }
    }

    // MARK: Waiting

    private func waitForRoom(_ admission: OneShot<Void>) async throws {
        let outbox = outbox
        do {
            try await wait(admission) {
                outbox.blockedReason.map { "the broker blocks publishing (\($0))" }
                    ?? "the connection takes no more messages"
            }
        } catch {
            outbox.withdraw()
            throw error
        }
    }

    private func waitForFlow() async throws {
        while true {
            let waiter = try state.withLock { state throws(AMQPError) -> OneShot<Void>? in
                if let reason = state.closeReason { throw reason }
                guard state.flowWaiters != nil else { return nil }
                let waiter = OneShot<Void>()
                state.flowWaiters?.append(waiter)
                return waiter
            }
            guard let waiter else { return }
            try await wait(waiter) { "the broker has stopped the channel's flow" }
        }
    }

    private func reservePlace() async throws {
        let waiter = try state.withLock { state throws(AMQPError) -> OneShot<Void>? in
            if let reason = state.closeReason { throw reason }
            return state.confirms?.reserve()
        }
        guard let waiter else { return }
        // What the broker is to confirm must be on its way.
        outbox.expedite()
        try await wait(waiter) { "the broker leaves as many messages unconfirmed as may be" }
    }

    private func wait(_ waiter: OneShot<Void>, why: @escaping @Sendable () -> String) async throws {
        let timeout = link.configuration.publishTimeout
        try await withDeadline(after: timeout) {
            waiter.fail(AMQPError(.blockedTooLong, "\(why()) for longer than \(timeout)"))
        } _: {
            try await waiter.value()
        }
    }

    // MARK: What the broker says

    /// Begins to confirm, with a wire order that both sides agree on.
    func selectConfirms(limit: Int) async throws {
        let isConfirming = publishing.load(ordering: .relaxed).contains(.confirming)
        guard !isConfirming else { return }
        _ = try await call(.confirmSelect) { state throws(AMQPError) in
            guard state.confirms == nil else { return }
            state.confirms = ConfirmLedger(limit: limit)
            setMode(.confirming, true)
        }
    }

    /// The broker stops or resumes the flow of messages.
    func setFlow(isActive: Bool) {
        let waiters = state.withLock { state -> [OneShot<Void>] in
            setMode(.stopped, !isActive)
            defer { state.flowWaiters = isActive ? nil : state.flowWaiters ?? [] }
            return isActive ? state.flowWaiters ?? [] : []
        }
        for waiter in waiters { waiter.succeed(()) }
    }

    /// Called under the state's lock.
    private func setMode(_ mode: PublishingMode, _ isOn: Bool) {
        var modes = publishing.load(ordering: .relaxed)
        if isOn { modes.insert(mode) } else { modes.remove(mode) }
        publishing.store(modes, ordering: .relaxed)
    }

    /// The broker acks or nacks what was published.
    func settlePublished(_ number: UInt64, multiple: Bool, error: AMQPError?) {
        let (outcomes, admitted) = state.withLock { state -> ([ConfirmLedger.Outcome], [OneShot<Void>]) in
            let outcomes = state.confirms?.settle(number, multiple: multiple, error: error) ?? []
            return (outcomes, state.confirms?.admit() ?? [])
        }
        for outcome in outcomes { outcome.confirmation.resolve(outcome.error) }
        for place in admitted where !place.succeed(()) { releasePlace() }
    }

    private func releasePlace() {
        let admitted = state.withLock { state -> [OneShot<Void>] in
            state.confirms?.release()
            return state.confirms?.admit() ?? []
        }
        for place in admitted where !place.succeed(()) { releasePlace() }
    }

    /// A message came back.
    func reportReturn(_ returned: ReturnedMessage) {
        let hasReceipt = state.withLock { $0.confirms?.markReturned(returned) ?? false }
        returns.report(returned, hasReceipt: hasReceipt)
    }

    /// Gives every message that is not confirmed its outcome, and ends every wait to publish.
    func endPublishing(_ error: AMQPError) {
        let (outcomes, waiters) = state.withLock { state -> ([ConfirmLedger.Outcome], [OneShot<Void>]) in
            let (outcomes, places) = state.confirms?.end(Self.outcome(of: error)) ?? ([], [])
            let waiters = Array(places) + (state.flowWaiters ?? [])
            if state.flowWaiters != nil { state.flowWaiters = [] }
            return (outcomes, waiters)
        }
        for outcome in outcomes { outcome.confirmation.resolve(outcome.error) }
        for waiter in waiters { waiter.fail(error) }
    }

    /// What the end of the channel means for a message that is not confirmed.
    private static func outcome(of error: AMQPError) -> AMQPError {
        // The broker has closed the channel over one of them, and says why.
        if error.replyCode != nil, !error.isConnectionFatal { return error }
        return AMQPError(
            .outcomeUnknown,
            "the broker did not say what became of the message: \(error.message)",
            underlying: error
        )
    }

    private func tooLarge(_ size: Int) -> AMQPError {
        AMQPError(
            .invalidMessage,
            "a body of \(size) bytes, where the configuration's maxMessageSize is \(maxMessageSize)"
        )
    }

    private var endReason: AMQPError {
        state.withLock { $0.closeReason } ?? AMQPError(.channelClosed, "the channel is closed")
    }
}
