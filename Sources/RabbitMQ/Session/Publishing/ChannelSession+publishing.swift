internal import Synchronization

/// A message on its way to the link.
struct Publish: Sendable {
    var message: Message
    var exchange: String
    var routingKey: String
    var mandatory: Bool
    /// Whether those who watch see it, and mark it as theirs: not what goes on its way as it came.
    var isTraced = true
    /// The session of the delivery in whose place it is published. Once that has ended the broker delivers it again, and the
    /// message is not sent: it would be there twice.
    var standsInFor: ChannelSession?
    /// Called when it is about to be sent, under the outbox's lock: before the end of the session is made known with which
    /// it would be lost.
    var willSend: (@Sendable () -> Void)?
}

extension ChannelSession {
    /// Which place among the unconfirmed a message gets.
    enum Place {
        /// One that is free, if there is one and nobody waits.
        case ifFree
        /// One that was kept for it.
        case reserved
        /// One beyond the limit if need be: the channel began to confirm while it waited for something else.
        case beyondLimit
    }

    /// Gives a message its number. By itself: inlined, its copy of the message is made for every message, confirmed or not
    /// (`rmq perf publish` takes 7 % more).
    ///
    /// - Returns: nil if it has to wait for a place.
    @inline(never)
    func number(
        _ message: borrowing Message,
        _ exchange: String,
        _ routingKey: String,
        mandatory: Bool,
        place: Place
    ) -> PendingConfirm? {
        let kept: ConfirmLedger.Kept? =
            mandatory || publishesAgain
            ? .init(exchange: exchange, routingKey: routingKey, message: copy message, isMandatory: mandatory) : nil
        return state.withLock { state in
            guard place != .ifFree || state.confirms?.hasRoom == true else { return nil }
            let hasPlace = place == .reserved
            return state.confirms?.publish(message, to: exchange, on: self, hasPlace: hasPlace, kept: kept)
        }
    }

    /// Publishes a message that was checked, waiting for what is to be waited for: room, the broker's flow, the answer to
    /// a commit, a place among the unconfirmed; for all of them together no longer than the configuration's `publishTimeout`.
    ///
    /// - Parameter start: When the time began, in nanoseconds of ``MonotonicTime``.
    /// - Throws: Only when nothing was sent.
    func publish(_ publish: Publish, since start: UInt64) async throws -> PublishReceipt {
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
        while true {
            if let receipt = try await appendOnceThereIsRoom(publish, hasPlace: hasPlace, since: start) {
                return receipt
            }
            // The flow was stopped, or a commit begun, while it waited for something else.
            try await waitForFlow(since: start)
        }
    }

    /// - Returns: nil if it must wait for the flow by then.
    private func appendOnceThereIsRoom(
        _ publish: Publish,
        hasPlace: Bool,
        since start: UInt64
    ) async throws -> PublishReceipt? {
        var receipt: PublishReceipt?
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

    /// Appends a message; on a confirming channel it gets its number. Called under the outbox's lock, so that numbers are
    /// in the order of the wire.
    ///
    /// - Returns: nil if it must wait for the flow.
    private func append(
        _ publish: Publish,
        hasPlace: Bool,
        to outbox: inout Outbox.State
    ) throws(AMQPError) -> PublishReceipt? {
        if let session = publish.standsInFor, !session.isOpen || session.link !== link {
            throw Self.stale(session.endReason)
        }
        let mode = publishing.load(ordering: .relaxed)
        guard !mode.contains(.closed) else { throw endReason }
        guard !mode.isHeld else { return nil }
        if let willSend = publish.willSend {
            willSend()
            // Whoever has made the end known before that has not heard of it.
            guard isOpen else { throw endReason }
        }
        let (exchange, routingKey, mandatory) = (publish.exchange, publish.routingKey, publish.mandatory)
        try outbox.append(
            publish.message,
            exchange: exchange,
            routingKey: routingKey,
            mandatory: mandatory,
            channel: number
        )
        guard mode.contains(.confirming) else { return PublishReceipt(confirm: nil) }
        let place: Place = hasPlace ? .reserved : .beyondLimit
        let confirm = number(publish.message, exchange, routingKey, mandatory: mandatory, place: place)
        return PublishReceipt(confirm: confirm)
    }

    // MARK: Waiting

    private func waitForRoom(_ admission: OneShot<Void>, since start: UInt64) async throws {
        let outbox = outbox
        let id = ObjectIdentifier(admission)
        let ended = state.withLock { state -> AMQPError? in
            state.publishers.roomWaiters[id] = admission
            return state.refusal
        }
        defer { state.withLock { $0.publishers.roomWaiters[id] = nil } }
        if let ended { admission.fail(ended) }
        do {
            // Only what a broker that blocks says is to be read; room comes without.
            try await wait(admission, since: start, hears: outbox.blockedReason != nil) {
                outbox.blockedReason.map { "the broker blocks publishing (\($0.printable()))" }
                    ?? "the connection takes no more messages"
            }
        } catch {
            outbox.withdraw()
            throw error
        }
    }

    private func waitForFlow(since start: UInt64) async throws {
        while true {
            let waiter = try state.withLock { state throws(AMQPError) in try state.joinFlow() }
            guard let waiter else { return }
            do {
                try await wait(waiter, since: start) {
                    self.publishing.load(ordering: .relaxed).contains(.stopped)
                        ? "the broker has stopped the channel's flow"
                        : "the broker has not answered the channel's commit"
                }
            } catch {
                state.withLock { $0.abandonFlow() }
                throw error
            }
        }
    }

    private func reservePlace(since start: UInt64) async throws {
        let waiter = try state.withLock { state throws(AMQPError) -> OneShot<Void>? in
            if let refusal = state.refusal { throw refusal }
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
        let timeout = link.configuration.timeoutOfPublish
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

    var endReason: AMQPError {
        state.withLock { $0.refusal } ?? AMQPError(.channelClosed, "the channel is closed")
    }
}
