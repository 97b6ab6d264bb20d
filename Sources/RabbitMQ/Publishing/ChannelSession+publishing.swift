internal import Synchronization

/// A message on its way to the link.
struct Publish: Sendable {
    var message: Message
    var exchange: String
    var routingKey: String
    var mandatory: Bool
}

extension ChannelSession {
    /// Publishes a message if there is nothing to wait for: then nothing suspends.
    ///
    /// - Returns: nil if there is. Then ``publish(_:)`` does what there is to do.
    @inline(__always)
    func publishAtOnce(
        _ message: borrowing Message,
        exchange: String,
        routingKey: String,
        mandatory: Bool
    ) throws(AMQPError) -> PublishReceipt? {
        try message.validate()
        try ShortString.validate(exchange, name: "exchange name")
        try ShortString.validate(routingKey, name: "routing key")
        guard message.body.count <= maxMessageSize else { throw tooLarge(message.body.count) }
        var receipt = PublishReceipt(confirm: nil)
        let isAppended = try outbox.publish(size: message.body.count) { outbox throws(AMQPError) -> Bool in
            guard isOpen.load(ordering: .relaxed) else { throw endReason }
            let mode = publishing.load(ordering: .relaxed)
            guard mode == .plain || mode == .confirming && hasRoom else { return false }
            try outbox.buffer.appendPublish(
                message,
                exchange: exchange,
                routingKey: routingKey,
                mandatory: mandatory,
                channel: number,
                frameMax: outbox.frameMax,
                pool: outbox.pool,
                template: outbox.template
            )
            guard mode == .confirming else { return true }
            receipt = PublishReceipt(
                confirm: number(message, exchange, routingKey, mandatory: mandatory, hasPlace: false)
            )
            return true
        }
        return isAppended ? receipt : nil
    }

    private var hasRoom: Bool { state.withLock { $0.confirms?.hasRoom ?? true } }

    /// Gives a message its number. Called under the outbox's lock, so that numbers are in the order of the wire.
    private func number(
        _ message: borrowing Message,
        _ exchange: String,
        _ routingKey: String,
        mandatory: Bool,
        hasPlace: Bool
    ) -> PendingConfirm {
        let confirm = PendingConfirm(session: self)
        let recognized =
            mandatory
            ? ConfirmLedger.Mandatory(exchange: exchange, routingKey: routingKey, message: copy message) : nil
        state.withLock { $0.confirms?.publish(confirm, hasPlace: hasPlace, mandatory: recognized) }
        return confirm
    }

    /// Publishes a message that was checked, waiting for what is to be waited for: room, the broker's flow, a place among
    /// the unconfirmed; for all of them together no longer than the configuration's `publishTimeout`.
    func publish(_ publish: Publish) async throws -> PublishReceipt {
        let start = MonotonicTime.now
        try await waitForFlow(since: start)
        guard publishing.load(ordering: .relaxed).contains(.confirming) else {
            return try await append(publish, hasPlace: false, since: start)
        }
        try await reservePlace(since: start)
        do {
            return try await append(publish, hasPlace: true, since: start)
        } catch {
            releasePlace()
            throw error
        }
    }

    private func append(_ publish: Publish, hasPlace: Bool, since start: UInt64) async throws -> PublishReceipt {
        var receipt = PublishReceipt(confirm: nil)
        var isAdmitted = false
        while let admission = try outbox.publish(
            size: publish.message.body.count,
            isAdmitted: isAdmitted,
            append: { outbox throws(AMQPError) in receipt = try append(publish, hasPlace: hasPlace, to: &outbox) }
        ) {
            try await waitForRoom(admission, since: start)
            isAdmitted = true
        }
        return receipt
    }

    private func append(
        _ publish: Publish,
        hasPlace: Bool,
        to outbox: inout Outbox.State
    ) throws(AMQPError) -> PublishReceipt {
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
        guard publishing.load(ordering: .relaxed).contains(.confirming) else { return PublishReceipt(confirm: nil) }
        return PublishReceipt(
            confirm: number(
                publish.message,
                publish.exchange,
                publish.routingKey,
                mandatory: publish.mandatory,
                hasPlace: hasPlace
            )
        )
    }

    // MARK: Waiting

    private func waitForRoom(_ admission: OneShot<Void>, since start: UInt64) async throws {
        let outbox = outbox
        let id = ObjectIdentifier(admission)
        let ended = state.withLock { state -> AMQPError? in
            state.roomWaiters[id] = admission
            return state.closeReason
        }
        defer { state.withLock { $0.roomWaiters[id] = nil } }
        if let ended { admission.fail(ended) }
        do {
            // Only what a broker that blocks says is to be read; room comes without.
            try await wait(admission, since: start, hears: outbox.blockedReason != nil) {
                outbox.blockedReason.map { "the broker blocks publishing (\($0))" }
                    ?? "the connection takes no more messages"
            }
        } catch {
            outbox.withdraw()
            throw error
        }
    }

    private func waitForFlow(since start: UInt64) async throws {
        while true {
            let waiter = try state.withLock { state throws(AMQPError) -> OneShot<Void>? in
                if let reason = state.closeReason { throw reason }
                return state.flowWaiters?.join()
            }
            guard let waiter else { return }
            do {
                try await wait(waiter, since: start) { "the broker has stopped the channel's flow" }
            } catch {
                state.withLock { $0.flowWaiters?.leave() }
                throw error
            }
        }
    }

    private func reservePlace(since start: UInt64) async throws {
        let waiter = try state.withLock { state throws(AMQPError) -> OneShot<Void>? in
            if let reason = state.closeReason { throw reason }
            return state.confirms?.reserve()
        }
        guard let waiter else { return }
        // What the broker is to confirm must be on its way.
        outbox.expedite()
        do {
            try await wait(waiter, since: start) { "the broker leaves as many messages unconfirmed as may be" }
        } catch {
            state.withLock { $0.confirms?.abandon() }
            throw error
        }
    }

    /// - Parameters:
    ///   - start: When the publish began that waits, which has one time for all its waits.
    ///   - hears: Whether the wait ends with something that the broker says.
    private func wait(
        _ waiter: OneShot<Void>,
        since start: UInt64,
        hears: Bool = true,
        why: @escaping @Sendable () -> String
    ) async throws {
        let timeout = link.configuration.publishTimeout
        let left = timeout.left(since: start)
        let expire = { @Sendable () -> Void in
            waiter.fail(AMQPError(.blockedTooLong, "\(why()), and publishing took longer than \(timeout)"))
        }
        if hears {
            try await link.waitForPeer(atMost: left, expire: expire) { try await waiter.value() }
        } else {
            try await withDeadline(after: left, expire: expire) { try await waiter.value() }
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
            let waiters = isActive ? state.flowWaiters?.removeAll() ?? [] : []
            state.flowWaiters = isActive ? nil : state.flowWaiters ?? WaitingLine()
            return waiters
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
        let (outcomes, admitted) = state.withLock { state -> (ConfirmLedger.Outcomes, [OneShot<Void>]) in
            let outcomes = state.confirms?.settle(number, multiple: multiple, error: error) ?? .init()
            return (outcomes, state.confirms?.admit() ?? [])
        }
        outcomes.makeKnown()
        giveOut(admitted)
    }

    private func releasePlace() { giveOut([], given: 1) }

    /// Gives places to those who wait; what was given to those who don't wait any more goes to the next.
    private func giveOut(_ places: [OneShot<Void>], given: Int = 0) {
        var places = places
        var given = given
        while true {
            for place in places where !place.succeed(()) { given += 1 }
            guard given > 0 else { return }
            places = state.withLock { state in
                for _ in 0..<given { state.confirms?.release() }
                return state.confirms?.admit() ?? []
            }
            given = 0
        }
    }

    /// A message came back.
    func reportReturn(_ returned: ReturnedMessage) {
        let hasReceipt = state.withLock { $0.confirms?.markReturned(returned) ?? false }
        returns.report(returned, hasReceipt: hasReceipt)
    }

    /// Gives every message that is not confirmed its outcome, and ends every wait to publish.
    func endPublishing(_ error: AMQPError) {
        let (outcomes, waiters) = state.withLock { state -> (ConfirmLedger.Outcomes, [OneShot<Void>]) in
            let (outcomes, places) = state.confirms?.end(Self.outcome(of: error)) ?? (.init(), [])
            let flow = state.flowWaiters?.removeAll() ?? []
            return (outcomes, places + flow + state.roomWaiters.values)
        }
        outcomes.makeKnown()
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
