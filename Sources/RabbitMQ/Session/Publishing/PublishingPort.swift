internal import Synchronization

/// Where messages are published to on a channel, whichever session it has at present: it outlives links.
///
/// A message that need not wait passes through here and the outbox alone: to count one more use of the session would take
/// longer than to encode the message.
///
/// `@unchecked Sendable` is safe because ``session``, ``number`` and ``everyMode`` are only used under the outbox's lock.
final class PublishingPort: @unchecked Sendable {
    let outbox: Outbox
    private let maxMessageSize: Int
    /// What holds for every session.
    private var everyMode: PublishingMode
    /// What is special about publishing at present, as the session says; closed while there is none.
    private let mode = Atomic<PublishingMode>(.closed)
    /// When last a publisher on this channel found the outbox's lock taken.
    private let lastMeeting = Atomic<UInt64>(0)
    private var session: ChannelSession?
    /// The session's.
    private var number: UInt16 = 0

    init(outbox: Outbox, maxMessageSize: Int, isTraced: Bool = false) {
        self.outbox = outbox
        self.maxMessageSize = maxMessageSize
        everyMode = isTraced ? .traced : .plain
    }

    /// Has messages go to a session.
    func open(_ session: ChannelSession) {
        var taken = 0
        _ = try? open(session, publishingAgain: [], taken: &taken)
    }

    /// Has messages go to a session, behind those that are published again.
    ///
    /// - Parameter taken: How many of these are done with, also when this throws.
    /// - Returns: How many were published again: not those that never can be.
    func open(
        _ session: ChannelSession,
        publishingAgain messages: [UnconfirmedMessage],
        taken: inout Int
    ) throws(AMQPError) -> Int {
        var failed: [(message: UnconfirmedMessage, reason: AMQPError)] = []
        // Without the lock, for it wakes whoever waits.
        defer { for (message, reason) in failed { session.fail(message, reason) } }
        try outbox.publishAgain { outbox throws(AMQPError) in
            for message in messages {
                let failure = try session.publishAgain(message, to: &outbox)
                taken += 1
                if let failure {
                    failed.append((message, failure))
                } else {
                    outbox.traffic.republished += 1
                }
            }
            self.session = session
            self.number = session.number
            show(session)
        }
        return messages.count - failed.count
    }

    private func show(_ session: ChannelSession) {
        session.showModes { [weak self, everyMode] in self?.mode.store($0.union(everyMode), ordering: .relaxed) }
    }

    /// Publishes nothing at once any more. What was, has its number when this returns: who looks for what is unconfirmed
    /// finds it.
    func endPublishingAtOnce() {
        outbox.state.withLock { _ in
            everyMode.insert(.questioned)
            if let session { show(session) }
        }
    }

    /// Lets go of the session, which has ended.
    func close() {
        let old = outbox.state.withLock { _ in
            mode.store(.closed, ordering: .relaxed)
            defer { session = nil }
            return session
        }
        // Freed without the lock.
        withExtendedLifetime(old) {}
    }

    /// Publishes a message if there is nothing to wait for: then nothing suspends.
    ///
    /// - Parameter willSend: Called under the outbox's lock, just before it is appended; it may fail yet. From then on a
    ///   session's end has to do with it.
    /// - Returns: nil if there is, or if the channel has no session that takes it. Then whoever has the channel does what
    ///   there is to do.
    @inline(__always)
    func publishAtOnce(
        _ message: borrowing Message,
        exchange: String,
        routingKey: String,
        mandatory: Bool,
        willSend: (() -> Void)? = nil
    ) throws(AMQPError) -> PublishReceipt? {
        try message.validateTexts()
        try ShortString.validate(exchange, name: "exchange name")
        try ShortString.validate(routingKey, name: "routing key")
        guard message.body.count <= maxMessageSize else { throw tooLarge(message.body.count) }
        var receipt = PublishReceipt(confirm: nil)
        let isAppended = try outbox.publish(lastMeeting: lastMeeting) { outbox throws(AMQPError) -> Bool in
            let mode = mode.load(ordering: .relaxed)
            guard mode == .plain || mode == .confirming else { return false }
            // Looking costs a quarter of a publish: once for what is written together is enough.
            if outbox.isEmpty, Task.isCancelled { return false }
            if let willSend {
                willSend()
                // Whoever has made the end known before that has not heard of it.
                guard session?.isOpen == true else { return false }
            }
            let mark = outbox.mark
            try outbox.append(
                message,
                exchange: exchange,
                routingKey: routingKey,
                mandatory: mandatory,
                channel: number
            )
            guard mode == .confirming else { return true }
            // Mostly there is a place: to look for it before would take the channel's lock twice for each message.
            let confirm = session?.number(message, exchange, routingKey, mandatory: mandatory, place: .ifFree)
            guard let confirm else {
                outbox.takeBackMessage(to: mark)
                return false
            }
            receipt = PublishReceipt(confirm: confirm)
            return true
        }
        if isAppended { return receipt }
        try message.validateHeaders()
        return nil
    }

    private func tooLarge(_ size: Int) -> AMQPError {
        AMQPError(
            .invalidMessage,
            "a body of \(size) bytes, where the configuration's maxMessageSize is \(maxMessageSize)"
        )
    }
}

extension ChannelSession {
    /// Appends a message that another session has left unconfirmed.
    ///
    /// - Returns: Why it never can be, if so; nothing was appended then.
    fileprivate func publishAgain(
        _ message: UnconfirmedMessage,
        to outbox: inout Outbox.State
    ) throws(AMQPError) -> AMQPError? {
        try state.withLock { state throws(AMQPError) -> AMQPError? in
            // What it adopts before it ends has its outcome by it, or is kept again.
            if let refusal = state.refusal { throw refusal }
            do throws(AMQPError) {
                try outbox.append(
                    message.kept.message,
                    exchange: message.kept.exchange,
                    routingKey: message.kept.routingKey,
                    mandatory: message.kept.isMandatory,
                    channel: number
                )
            } catch {
                // This broker's frames are too small for it.
                return error
            }
            state.confirms?.adopt(message)
            return nil
        }
    }

    /// Gives a message that can't be published again its outcome: the first time it may have arrived.
    fileprivate func fail(_ message: UnconfirmedMessage, _ reason: AMQPError) {
        tally.unknownOutcomes.add(1)
        message.confirm.fail(Self.outcome(of: reason))
    }
}
