internal import DequeModule
internal import Logging
internal import Synchronization

/// One channel on one link, from channel.open to its end. Any thread uses it; ``ChannelReceiver`` takes its frames.
///
/// Order of the locks: the outbox's, then this one's.
final class ChannelSession: SettlementWriter, Sendable {
    let link: Link
    private let outbox: Outbox
    private let maxMessageSize: Int
    let number: UInt16
    let state = Mutex(ChannelState())
    /// Set before the channel's last frame is appended, and read under the outbox's lock by whoever appends another.
    let isOpen = Atomic<Bool>(true)
    let closed = Broadcast<AMQPError>()
    let returns: ReturnReporter

    private init(link: Link, number: UInt16) {
        self.link = link
        outbox = link.outbox
        maxMessageSize = link.configuration.maxMessageSize
        self.number = number
        returns = ReturnReporter(logger: link.logger, gauge: link.gauge)
    }

    /// Opens a channel. A task that is cancelled meanwhile leaves no channel behind.
    static func open(on link: Link) async throws -> ChannelSession {
        if let ended = link.ended.current { throw ended }
        guard let number = link.numbers.withLock({ $0.take() }) else {
            throw AMQPError(.tooManyChannels, "all channels that the broker allows are in use")
        }
        let session = ChannelSession(link: link, number: number)
        link.register(number) { ChannelReceiver(session: session) }
        do {
            _ = try await session.call(.channelOpen)
            return session
        } catch {
            session.closeInBackground()
            throw error
        }
    }

    // MARK: Calls

    /// Sends a method and waits for the broker's answer.
    ///
    /// A task that is cancelled stops waiting; the answer is taken off when it comes, so that the channel stays in step.
    func call(
        _ method: ClientMethod,
        consumer: Consumer? = nil,
        source: DeliverySource? = nil,
        timeout: Duration? = nil,
        whenSent: () -> Void = {}
    ) async throws -> Reply {
        let reply = OneShot<Reply>()
        let call = PendingCall(method: method, reply: reply, consumer: consumer, source: source)
        try send(method) { state throws(AMQPError) in try state.register(call) }
        whenSent()
        link.gauge.callBegan()
        defer { link.gauge.callEnded() }
        let timeout = timeout ?? link.configuration.callTimeout
        return try await withDeadline(after: timeout) {
            reply.fail(AMQPError(.timedOut, "\(method.name) was not answered within \(timeout)"))
        } _: {
            try await reply.value()
        }
    }

    /// Sends a method whose answer nobody waits for.
    func callInBackground(_ method: ClientMethod) {
        let call = PendingCall(method: method, reply: OneShot())
        try? send(method) { state throws(AMQPError) in try state.register(call) }
    }

    /// Sends a method that is not answered.
    func send(_ method: ClientMethod) throws(AMQPError) {
        try send(method) { state throws(AMQPError) in if let reason = state.closeReason { throw reason } }
    }

    private func send(
        _ method: ClientMethod,
        register: (inout ChannelState) throws(AMQPError) -> Void
    ) throws(AMQPError) {
        // A closed channel's reason says more than that the link has ended.
        if let reason = state.withLock({ $0.closeReason }) { throw reason }
        try outbox.send(method, channel: number, settling: self) { () throws(AMQPError) in
            try state.withLock { state throws(AMQPError) in try register(&state) }
        }
    }

    /// What is thrown where the state machine has let an answer pass that is none. It never does.
    static var wrongAnswer: AMQPError { AMQPError(.protocolViolation, "the broker gave an answer of another kind") }

    // MARK: Closing

    /// Closes with a handshake; never for longer than the configuration's `closeTimeout`.
    func close() async {
        beginClosing(AMQPError(.channelClosed, "the channel was closed by the application"))
        let timeout = link.configuration.closeTimeout
        await withDeadline(after: timeout) {
            self.giveUp(AMQPError(.channelClosed, "the channel was closed; the broker did not answer"))
        } _: {
            _ = try? await closed.wait()
        }
    }

    /// Closes without waiting for the broker.
    func closeInBackground() {
        beginClosing(AMQPError(.channelClosed, "the channel was closed by the application"))
    }

    /// Sends channel.close, unless the channel is closing or closed.
    func beginClosing(_ error: AMQPError, replyCode: ReplyCode = .success) {
        var unanswered: Deque<PendingCall> = []
        try? outbox.send(
            .channelClose(replyCode: replyCode.rawValue, replyText: replyCode == .success ? "Goodbye" : error.message),
            channel: number,
            settling: self
        ) { () throws(AMQPError) in
            unanswered = try state.withLock { state throws(AMQPError) -> Deque<PendingCall> in
                if let reason = state.closeReason { throw reason }
                isOpen.store(false, ordering: .relaxed)
                return state.beginClosing(error)
            }
        }
        for call in unanswered { call.reply.fail(error) }
    }

    /// Ends without the broker's answer. The number stays taken until it comes.
    private func giveUp(_ error: AMQPError) {
        finish(error)
        link.onQueue { link in
            let index = Int(self.number)
            guard link.inboxes.indices.contains(index), let receiver = link.inboxes[index] as? ChannelReceiver,
                receiver.session === self
            else { return }
            receiver.end(error)
        }
    }

    /// Makes the end known: to calls that wait, and to whoever waits for the end.
    ///
    /// - Returns: Whether this was the first reason.
    @discardableResult
    func finish(_ error: AMQPError) -> Bool {
        isOpen.store(false, ordering: .relaxed)
        let (calls, isFirst) = state.withLock { $0.close(error) }
        for call in calls { call.reply.fail(error) }
        closed.set(error)
        return isFirst
    }

    // MARK: Publishing

    /// Hands a message to the link, if there is room.
    ///
    /// - Returns: What to wait for before ``publishHeldBack(_:exchange:routingKey:mandatory:admission:)``, if there is
    ///   none.
    @inline(__always)
    func publish(
        _ message: borrowing Message,
        exchange: String,
        routingKey: String,
        mandatory: Bool
    ) throws(AMQPError) -> OneShot<Void>? {
        try message.validate()
        try ShortString.validate(exchange, name: "exchange name")
        try ShortString.validate(routingKey, name: "routing key")
        guard message.body.count <= maxMessageSize else { throw tooLarge(message.body.count) }
        return try append(message, exchange: exchange, routingKey: routingKey, mandatory: mandatory, isAdmitted: false)
    }

    /// Waits for room, and hands a message to the link.
    func publishHeldBack(
        _ message: Message,
        exchange: String,
        routingKey: String,
        mandatory: Bool,
        admission: OneShot<Void>
    ) async throws {
        var admission: OneShot<Void>? = admission
        while let next = admission {
            try await waitForRoom(next)
            admission = try append(
                message,
                exchange: exchange,
                routingKey: routingKey,
                mandatory: mandatory,
                isAdmitted: true
            )
        }
    }

    @inline(__always)
    private func append(
        _ message: borrowing Message,
        exchange: String,
        routingKey: String,
        mandatory: Bool,
        isAdmitted: Bool
    ) throws(AMQPError) -> OneShot<Void>? {
        try outbox.publish(size: message.body.count + 256, isAdmitted: isAdmitted) { state throws(AMQPError) in
            guard isOpen.load(ordering: .relaxed) else { throw endReason }
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
        }
    }

    private func waitForRoom(_ admission: OneShot<Void>) async throws {
        let timeout = link.configuration.publishTimeout
        try await withDeadline(after: timeout) { [outbox] in
            let reason = outbox.blockedReason.map { "the broker blocks publishing (\($0))" }
            admission.fail(
                AMQPError(
                    .blockedTooLong,
                    "\(reason ?? "the connection takes no more messages") for longer than \(timeout)"
                )
            )
        } _: {
            try await admission.value()
        }
    }

    private func tooLarge(_ size: Int) -> AMQPError {
        AMQPError(
            .invalidMessage,
            "a body of \(size) bytes, where the configuration's maxMessageSize is \(link.configuration.maxMessageSize)"
        )
    }

    private var endReason: AMQPError {
        state.withLock { $0.closeReason } ?? AMQPError(.channelClosed, "the channel is closed")
    }

    // MARK: Settling

    /// Acknowledges a delivery with the next flush, merged with others.
    @inline(__always)
    func acknowledge(_ tag: UInt64, multiple: Bool) throws(AMQPError) {
        let wakes = try state.withLock { state throws(AMQPError) in
            if let reason = state.closeReason { throw Self.stale(reason) }
            let wakes = !state.settlements.hasUnwritten
            try Self.check(state.settlements.acknowledge(tag, multiple: multiple), tag)
            return wakes
        }
        if wakes { outbox.settleSoon(self) }
    }

    /// Rejects a delivery.
    ///
    /// - Parameter usesNack: Whether to send RabbitMQ's basic.nack, which knows `multiple`, or AMQP's basic.reject.
    func reject(_ tag: UInt64, requeue: Bool, multiple: Bool, usesNack: Bool) throws(AMQPError) {
        if let reason = state.withLock({ $0.closeReason }) { throw Self.stale(reason) }
        try outbox.append { buffer throws(AMQPError) in
            try state.withLock { state throws(AMQPError) in
                if let reason = state.closeReason { throw Self.stale(reason) }
                // What is acknowledged already must not be rejected by `multiple`.
                self.writeAcknowledgements(&state, to: buffer)
                try Self.check(state.settlements.reject(tag, multiple: multiple), tag)
            }
            if usesNack {
                try buffer.appendNack(channel: number, deliveryTag: tag, multiple: multiple, requeue: requeue)
            } else {
                try buffer.appendReject(channel: number, deliveryTag: tag, requeue: requeue)
            }
        }
    }

    /// Gives deliveries back to the broker that nobody will see; on a channel that is closed they are there already.
    func requeue(_ tags: some Sequence<UInt64>) {
        for tag in tags { try? reject(tag, requeue: true, multiple: false, usesNack: false) }
    }

    func writeSettlements(to buffer: OutboundBuffer) {
        state.withLock { state in
            guard state.closeReason == nil else { return }
            writeAcknowledgements(&state, to: buffer)
        }
    }

    private func writeAcknowledgements(_ state: inout ChannelState, to buffer: OutboundBuffer) {
        state.settlements.takeAcknowledgements { tag, multiple in
            // Its 13 bytes of arguments fit into any frame.
            try? buffer.appendAck(channel: number, deliveryTag: tag, multiple: multiple)
        }
    }

    private static func check(_ verdict: SettlementLedger.Verdict, _ tag: UInt64) throws(AMQPError) {
        switch verdict {
        case .accepted: return
        case .alreadySettled: throw AMQPError(.alreadySettled, "the delivery \(tag) is settled already")
        case .unknown: throw AMQPError(.alreadySettled, "the delivery \(tag) is not one that waits to be settled")
        }
    }

    private static func stale(_ reason: AMQPError) -> AMQPError {
        AMQPError(
            .staleDelivery,
            "the delivery's channel is gone, and the broker has the message again: \(reason.message)",
            underlying: reason
        )
    }
}
