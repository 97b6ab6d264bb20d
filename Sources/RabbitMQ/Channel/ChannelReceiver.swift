internal import DequeModule
internal import Logging
internal import Synchronization

/// Takes the frames of one channel, on its link's queue: nobody else does, so that the exclusivity of what changes with
/// every delivery need not be checked at run time.
final class ChannelReceiver: ChannelInbox {
    private enum Origin {
        case delivery(lane: Int, tag: UInt64, redelivered: Bool, exchange: String, routingKey: String)
        case get(ServerMethod.GetOk)
        case returned(ServerMethod.Return)
    }

    let session: ChannelSession
    @exclusivity(unchecked) private var assembly = MessageAssembly<Origin>()
    @exclusivity(unchecked) private var consumers = ConsumerTable()
    @exclusivity(unchecked) var isInBatch = false
    /// Tags of deliveries in the batch at hand that need to be settled.
    @exclusivity(unchecked) private var newTags: [UInt64] = []
    private var exchanges = TextCache()
    private var routingKeys = TextCache()

    private let maxMessageSize: Int

    init(session: ChannelSession) {
        self.session = session
        maxMessageSize = session.link.configuration.maxMessageSize
    }

    private var logger: Logger { session.link.logger }

    /// Whether we have sent channel.close, so that all but its answer is late.
    private var isDiscarding: Bool { !session.isOpen.load(ordering: .relaxed) }

    // MARK: Methods

    func receive(_ method: ServerMethod) throws(AMQPError) -> Bool {
        switch method {
        case .channelCloseOk:
            guard isDiscarding else { throw AMQPError(.protocolViolation, "the peer sent a channel.close-ok unasked") }
            handOver()
            session.finish(AMQPError(.channelClosed, "the channel was closed")) { reason in
                endConsumers(reason)
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

    private func answer(_ method: ServerMethod) throws(AMQPError) {
        // What came before it is not to be settled any more.
        if case .basicRecoverOk = method { handOver() }
        let taken = session.state.withLock { $0.takeCall(answeredBy: method) }
        guard let call = taken else { return try refuse("an answer to nothing that was asked") }
        if case .txCommitOk = method { session.endCommit() }
        if case .basicConsumeOk = method, let consumer = call.consumer {
            // It may replace one with its tag.
            handOver()
            consumers.add(consumer)
        }
        if case .basicCancelOk(let tag) = method {
            // What came before it is still seen by a consumer without acknowledgement.
            handOver()
            consumers.removeCancelled(tag: tag)
        }
        guard !call.reply.succeed(.method(method)) else { return }
        // Whoever asked is gone.
        if case .basicConsumeOk = method { call.consumer?.cancelInBackground() }
    }

    /// Ends the link over what nobody asked for, unless whoever did has begun to close the channel since we looked.
    private func refuse(_ what: String) throws(AMQPError) {
        guard session.state.withLock({ $0.closeReason }) == nil else { return }
        throw AMQPError(.protocolViolation, "the peer sent \(what)")
    }

    private func cancelledByServer(_ tag: String) throws(AMQPError) {
        handOver()
        session.state.withLock { $0.forgetConsumer(tag) }
        guard let consumer = consumers.remove(tag: tag) else { return }
        logger.notice("the broker cancelled a consumer", metadata: ["consumer-tag": "\(tag)"])
        consumer.end(
            AMQPError(.consumerCancelled, "the broker cancelled the consumer \(tag), whose queue is probably gone")
        )
    }

    // MARK: Content

    @inline(__always)
    func receive(_ delivery: DeliveryView) throws(AMQPError) {
        if isDiscarding { return }
        guard let lane = consumers.find(delivery.consumerTag) ?? startingConsumer(delivery.consumerTag) else {
            return try refuse("a delivery for a consumer that does not exist")
        }
        try assembly.begin(
            .delivery(
                lane: lane,
                tag: delivery.deliveryTag,
                redelivered: delivery.redelivered,
                exchange: exchanges.text(delivery.exchange),
                routingKey: routingKeys.text(delivery.routingKey)
            )
        )
    }

    func receive(
        _ deliveries: WholeDeliveries,
        from offset: Int,
        in chunk: ReceiveChunk,
        at start: Int
    ) throws(AMQPError) -> Int {
        var offset = offset
        while isDiscarding || !assembly.isActive, let delivery = deliveries.next(from: offset) {
            if !isDiscarding {
                guard delivery.bodySize <= maxMessageSize else { break }
                let tag = delivery.peek.consumerTag
                guard let lane = consumers.find(tag) ?? startingConsumer(tag) else { break }
                if consumers.lanes.needsSettling(lane) { newTags.append(delivery.peek.deliveryTag) }
                let frames = (start + offset)..<(start + delivery.end)
                consumers.lanes.append(chunk, frames, to: lane)
            }
            offset = delivery.end
        }
        return offset
    }

    /// A consumer whose first deliveries overtook its basic.consume-ok.
    private func startingConsumer(_ tag: UnsafeBufferPointer<UInt8>) -> Int? {
        let tag = String(decoding: tag, as: UTF8.self)
        return session.state.withLock { $0.startingConsumer(tag: tag) }.map { consumers.add($0) }
    }

    @inline(__always)
    func receive(_ header: consuming ContentHeader) throws(AMQPError) {
        if isDiscarding { return }
        do throws(AMQPError) {
            if let (origin, message) = try assembly.receive(header, limit: maxMessageSize) {
                try complete(origin, message)
            }
        } catch  where error.code == .contentTooLarge {
            logger.error("a message is too large", metadata: ["error": "\(error)"])
            session.beginClosing(error, replyCode: .contentTooLarge)
        }
    }

    @inline(__always)
    func receive(body: UnsafeRawBufferPointer) throws(AMQPError) {
        if isDiscarding { return }
        if let (origin, message) = try assembly.receive(body: body) { try complete(origin, message) }
    }

    @inline(__always)
    private func complete(_ origin: Origin, _ message: consuming Message) throws(AMQPError) {
        switch origin {
        case .delivery(let lane, let tag, let redelivered, let exchange, let routingKey):
            guard let source = consumers.lanes.intake(lane)?.source else { return }
            let incoming = IncomingMessage(
                message: message,
                deliveryTag: tag,
                redelivered: redelivered,
                exchangeName: exchange,
                routingKey: routingKey,
                source: source
            )
            if !source.noAck { newTags.append(tag) }
            consumers.lanes.append(incoming, to: lane)
        case .get(let get): try complete(get, message)
        case .returned(let returned):
            session.reportReturn(
                ReturnedMessage(
                    replyCode: ReplyCode(rawValue: returned.replyCode),
                    replyText: returned.replyText,
                    exchangeName: returned.exchange,
                    routingKey: returned.routingKey,
                    message: message
                )
            )
        }
    }

    private func complete(_ get: ServerMethod.GetOk, _ message: Message) throws(AMQPError) {
        handOver()
        let call = session.state.withLock { $0.takeCall(answeredBy: .basicGetOk(get)) }
        guard let call, let source = call.source else { return }
        if !source.noAck { session.state.withLock { $0.delivered(CollectionOfOne(get.deliveryTag)) } }
        let incoming = IncomingMessage(
            message: message,
            deliveryTag: get.deliveryTag,
            redelivered: get.redelivered,
            exchangeName: get.exchange,
            routingKey: get.routingKey,
            source: source
        )
        guard !call.reply.succeed(.message(incoming, messageCount: get.messageCount)) else { return }
        // Whoever asked is gone. Without acknowledgement the message is gone with it.
        if !source.noAck { session.requeue([get.deliveryTag]) }
    }

    // MARK: Handing over

    var recipients: Int { consumers.lanes.recipients }

    func endBatch(isForMany: Bool) {
        isInBatch = false
        handOver()
        consumers.lanes.isGathering = isForMany
    }

    /// Hands the messages that came to their consumers, once they can be settled.
    private func handOver() {
        if !newTags.isEmpty {
            session.state.withLock { $0.delivered(newTags) }
            newTags.removeAll(keepingCapacity: true)
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
        if !isDiscarding {
            logger.log(
                level: session.refusalLevel,
                "the broker closed a channel",
                metadata: ["channel": "\(session.number)", "reason": "\(error)"]
            )
        }
        handOver()
        var isCrossing = false
        session.finish(error) { reason in
            // Known only now: until the channel's state is closed, whoever closes it sends a close of ours.
            isCrossing = session.state.withLock { $0.hasSentClose }
            endConsumers(reason)
            // Nothing is sent on the channel after this, and nothing on another of its number before.
            try? session.link.outbox.send(.channelCloseOk, channel: session.number)
            if !isCrossing { releaseNumber() }
        }
        return isCrossing
    }

    /// Frees the number, before anybody knows of the end: whoever does may open another channel at once.
    private func releaseNumber() {
        session.link.numbers.withLock { $0.release(session.number) }
    }

    func end(_ error: AMQPError) {
        handOver()
        session.finish(error) { endConsumers($0) }
    }

    private func endConsumers(_ error: AMQPError) {
        assembly = MessageAssembly()
        for consumer in consumers.removeAll() { consumer.end(error) }
        session.returns.end()
    }
}
