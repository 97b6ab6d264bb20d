internal import DequeModule
internal import Logging
internal import Synchronization

/// Takes the frames of one channel, on its link's queue: nobody else does, so that the exclusivity of what changes with
/// every delivery need not be checked at run time.
final class ChannelReceiver: ChannelInbox {
    enum Origin {
        case delivery(lane: Int, tag: UInt64, redelivered: Bool, exchange: String, routingKey: String)
        case get(ServerMethod.GetOk)
        case returned(ServerMethod.Return)
        case late(EndedConsumers.Entry, tag: UInt64)
    }

    /// What changes with every delivery.
    struct Batch {
        var isOpen = false
        /// Tags of deliveries that need to be settled.
        var newTags: [UInt64] = []
        /// How many deliveries came, and how many of them not for the first time.
        var delivered = 0
        var redelivered = 0
        /// What the link has been told that the message takes which has begun.
        var begunBytes = 0
        /// Whether all that comes is another channel's that had the number: so it is until channel.open-ok.
        fileprivate(set) var awaitsOpen: Bool
    }

    let session: ChannelSession
    @exclusivity(unchecked) var assembly = MessageAssembly<Origin>()
    @exclusivity(unchecked) var consumers = ConsumerTable()
    @exclusivity(unchecked) var batch: Batch
    /// Whether the number was another channel's before, whose last deliveries may still come.
    let hasPredecessor: Bool
    private var isClosedByBroker = false
    /// Tags in the batch of deliveries that go back: their consumers have ended.
    var late: [UInt64] = []
    /// What is waited for before the channel is closed, once it is to be.
    var retirement: Retirement?
    var leaving = LeavingConsumers()
    var exchanges = TextCache()
    var routingKeys = TextCache()

    let maxMessageSize: Int

    init(session: ChannelSession, hasPredecessor: Bool) {
        self.session = session
        self.hasPredecessor = hasPredecessor
        batch = Batch(awaitsOpen: hasPredecessor)
        maxMessageSize = session.link.configuration.maxMessageSize
    }

    var isInBatch: Bool {
        get { batch.isOpen }
        set { batch.isOpen = newValue }
    }

    var unconfirmed: Int { session.state.withLock { $0.confirms?.unconfirmed ?? 0 } }

    var settlementWriter: (any SettlementWriter)? { session }

    var logger: Logger { session.link.logger }

    /// Whether we have sent channel.close, so that all but its answer is late.
    var isDiscarding: Bool { !session.isOpen }

    var passesOver: Bool { batch.awaitsOpen || isDiscarding }

    // MARK: Methods

    func receive(_ method: ServerMethod) throws(AMQPError) -> Bool {
        if batch.awaitsOpen {
            guard answersOpening(method) else { return false }
            batch.awaitsOpen = false
        }
        switch method {
        case .channelCloseOk:
            guard isDiscarding else { throw AMQPError(.protocolViolation, "the peer sent a channel.close-ok unasked") }
            handOver()
            let isReplaced = session.isAbandoned.load(ordering: .relaxed)
            session.finish(AMQPError(.channelClosed, "the channel was closed"), isReplaced: isReplaced) { reason in
                endConsumers(reason, isReplaced: isReplaced)
                releaseNumber()
            }
            return true
        case .channelClose(let close):
            return try !closedByServer(close)
        default: break
        }
        if isDiscarding { return false }
        guard !assembly.isActive else { throw MessageAssembly<Origin>.interrupted }
        switch method {
        case .channelFlow(let active):
            try session.outbox.noteAnswer()
            // Messages come neither behind the answer to a stop, nor before the answer to a resumption.
            if !active { session.setFlow(isActive: false) }
            try? session.send(.channelFlowOk(active: active))
            if active { session.setFlow(isActive: true) }
        case .basicCancel(let tag): try cancelledByServer(tag)
        case .basicReturn(let returned): try assembly.begin(.returned(returned))
        case .basicGetOk(let get):
            if case .basicGet? = session.state.withLock({ $0.nextCall })?.method {
                try assembly.begin(.get(get))
            } else {
                try refuse("a message that was not asked for")
            }
        case .basicAck(let number, let multiple):
            session.settlePublished(number, multiple: multiple, error: nil)
        case .basicNack(let number, let multiple):
            session.settlePublished(
                number,
                multiple: multiple,
                error: AMQPError(.nacked, "the broker did not take the message (basic.nack)")
            )
        default: try answer(method)
        }
        return false
    }

    /// Whether it is for this channel and not for the one that had its number before.
    private func answersOpening(_ method: ServerMethod) -> Bool {
        switch method {
        case .channelOpenOk, .channelClose: true
        case .channelCloseOk: isDiscarding
        default: false
        }
    }

    private func answer(_ method: ServerMethod) throws(AMQPError) {
        // What came before it is not to be settled any more.
        if case .basicRecoverOk = method { handOver() }
        let taken = session.state.withLock { $0.takeCall(answeredBy: method) }
        guard let call = taken else {
            // RabbitMQ 4.0 was seen to answer twice where a quorum queue was deleted as its consumer was cancelled.
            if case .basicCancelOk(let tag) = method, consumers.ended[tag] != nil { return }
            return try refuse("an answer to nothing that was asked")
        }
        if case .txCommitOk = method { session.endCommit() }
        if case .basicConsumeOk(let tag) = method, let consumer = call.consumer {
            // It may replace one with its tag.
            handOver()
            consumers.add(consumer)
            session.sendCancel(tag: tag)
        }
        if case .basicCancelOk(let tag) = method {
            // What came before it is still seen by a consumer without acknowledgement.
            handOver()
            noteLeaving(consumers.retireCancelled(tag: tag))
        }
        defer { continueRetiring() }
        guard !call.reply.succeed(.method(method)) else { return }
        // Whoever asked is gone, and a new consumer with it: nobody has that one in hand.
        guard case .basicConsumeOk(let tag) = method, let consumer = call.consumer, !call.isResumption else { return }
        consumer.cancelInBackground()
        // One that has ended meanwhile cancels no more. Left to the broker, all that came for it would go back and come again.
        if !consumer.isCancelling { session.callInBackground(.basicCancel(consumerTag: tag, noWait: false)) }
    }

    /// Ends the link over what nobody asked for, unless whoever did has begun to close the channel since we looked.
    func refuse(_ what: String) throws(AMQPError) {
        guard session.state.withLock({ $0.closeReason }) == nil else { return }
        throw AMQPError(.protocolViolation, "the peer sent \(what)")
    }

    private func cancelledByServer(_ tag: String) throws(AMQPError) {
        handOver()
        session.state.withLock { $0.forgetConsumer(tag) }
        guard let consumer = consumers.retire(tag: tag) else { return }
        noteLeaving(consumer)
        let reason = consumer.cancelledByServer
        // What has come can still be settled: the channel lives.
        if session.host?.beginTakingUpAgain(consumer, reason) == true { return }
        let level: Logger.Level = consumer.hearsCancel ? .debug : .warning
        logger.log(
            level: level,
            "the broker cancelled a consumer",
            metadata: [LogKey.consumerTag: "\(tag.printable())"]
        )
        consumer.end(reason)
    }

    // MARK: Handing over

    var delivered: Int { batch.delivered }

    var recipients: Int { consumers.lanes.recipients }

    var credit: Int { session.state.withLock { $0.credit } }

    var slowConsumers: [SlowConsumer] {
        consumers.all.compactMap { consumer in
            let bytes = consumer.buffer.waitingBytes
            return bytes == 0 ? nil : SlowConsumer(queue: consumer.source.queue, tag: consumer.tag, bytes: bytes)
        }
    }

    func endBatch(isForMany: Bool) {
        batch.isOpen = false
        handOver()
        consumers.lanes.isGathering = isForMany
    }

    /// Hands the messages that came to their consumers, once they can be settled.
    func handOver() {
        if !batch.newTags.isEmpty {
            session.state.withLock { $0.delivered(batch.newTags) }
            batch.newTags.removeAll(keepingCapacity: true)
        }
        if batch.delivered > 0 {
            session.tally.delivered.advance(by: batch.delivered)
            session.tally.redelivered.advance(by: batch.redelivered)
            (batch.delivered, batch.redelivered) = (0, 0)
        }
        if !late.isEmpty {
            session.requeue(late)
            late = []
        }
        consumers.lanes.handOver()
    }

    // MARK: The end

    /// Ends the channel, and answers.
    ///
    /// - Returns: Whether a close of ours is on its way too, which is answered as well: until then the number is taken.
    private func closedByServer(_ close: ServerMethod.Close) throws(AMQPError) -> Bool {
        let error = AMQPError(
            replyCode: close.replyCode,
            replyText: close.replyText,
            classID: close.classID,
            methodID: close.methodID
        )
        handOver()
        let isReplaced = decideReplacement(after: error)
        if !isDiscarding, !isReplaced {
            session.logEnd("the broker closed a channel", error, consumers.hearing)
        }
        var isCrossing = false
        isClosedByBroker = true
        session.finish(error, isReplaced: isReplaced) { reason in
            // Known only now: until the channel's state is closed, whoever closes it sends a close of ours.
            isCrossing = session.state.withLock { $0.phase.hasSentClose }
            endConsumers(reason, isReplaced: isReplaced)
            // Nothing is sent on the channel after this, and nothing on another of its number before.
            try? session.outbox.send(.channelCloseOk, channel: session.number, from: session.link.sender)
            if !isCrossing { releaseNumber() }
        }
        return isCrossing
    }

    /// Frees the number, before anybody knows of the end: whoever does may open another channel at once.
    ///
    /// RabbitMQ was seen to deliver for a channel that it has closed even behind the open-ok of the next one with the number:
    /// what comes could be taken for another consumer's there, if that is given the same tag.
    private func releaseNumber() {
        let rests = isClosedByBroker && session.state.withLock { $0.consumerTags.hasGiven }
        session.link.numbers.withLock { $0.release(session.number, rests: rests) }
    }

    func end(_ error: AMQPError) {
        handOver()
        let isReplaced = decideReplacement(after: error)
        session.finish(error, isReplaced: isReplaced) { endConsumers($0, isReplaced: isReplaced) }
    }

    /// Whether another session takes the place of this one.
    private func decideReplacement(after reason: AMQPError) -> Bool {
        if session.isAbandoned.load(ordering: .relaxed) { return true }
        return !isDiscarding && session.host?.decideReplacement(of: session, after: reason) == true
    }

    private func endConsumers(_ error: AMQPError, isReplaced: Bool = false) {
        dropBegun()
        // No method of theirs: one that could not begin has its error by its call.
        let reason = error.method == nil ? error : error.overAnotherCall
        for consumer in consumers.removeAll() {
            if !isReplaced {
                consumer.end(reason)
            } else if consumer.source.session === session {
                consumer.interrupt()
            }
        }
        if !isReplaced { session.returns.end() }
        endRetiring()
    }
}
