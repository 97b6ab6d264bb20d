internal import Logging
internal import Synchronization

/// Messages: deliveries, what was asked for (basic.get), what came back (basic.return).
extension ChannelReceiver {
    @inline(__always)
    func receive(_ delivery: DeliveryView) throws(AMQPError) {
        if passesOver { return }
        guard let lane = consumers.find(delivery.consumerTag) ?? startingConsumer(delivery.consumerTag) else {
            let tag = String(wire: delivery.consumerTag)
            guard let consumer = consumers.ended[tag] ?? (hasPredecessor ? EndedConsumers.another : nil) else {
                return try refuse("a delivery for a consumer that does not exist")
            }
            return try assembly.begin(.late(consumer, tag: delivery.deliveryTag))
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
        while passesOver || !assembly.isActive, let delivery = deliveries.next(from: offset) {
            if !passesOver {
                guard delivery.bodySize <= maxMessageSize else { break }
                let tag = delivery.peek.consumerTag
                guard let lane = consumers.find(tag) ?? startingConsumer(tag) else { break }
                if consumers.lanes.needsSettling(lane) { batch.newTags.append(delivery.peek.deliveryTag) }
                let frames = (start + offset)..<(start + delivery.end)
                consumers.lanes.append(chunk, frames, to: lane)
                batch.delivered &+= 1
                batch.redelivered &+= delivery.peek.isRedelivered ? 1 : 0
            }
            offset = delivery.end
        }
        return offset
    }

    /// A consumer whose first deliveries overtook its basic.consume-ok.
    private func startingConsumer(_ tag: UnsafeBufferPointer<UInt8>) -> Int? {
        let tag = String(wire: tag)
        return session.state.withLock { $0.startingConsumer(tag: tag) }.map { consumers.add($0) }
    }

    @inline(__always)
    func receive(_ header: consuming ContentHeader) throws(AMQPError) {
        if passesOver { return dropBegun() }
        do throws(AMQPError) {
            if let (origin, message) = try assembly.receive(header, limit: maxMessageSize) {
                try complete(origin, message)
            } else {
                try countBegun()
            }
        } catch  where error.code == .contentTooLarge {
            refuse(error)
        }
    }

    @inline(__always)
    func receive(body: UnsafeRawBufferPointer) throws(AMQPError) {
        if passesOver { return dropBegun() }
        do throws(AMQPError) {
            let message = try assembly.receive(body: body)
            try countBegun()
            if let (origin, message) = message { try complete(origin, message) }
        } catch  where error.code == .contentTooLarge {
            refuse(error)
        }
    }

    private func refuse(_ error: AMQPError) {
        // More of them may be on their way until the consumers are cancelled.
        guard retirement == nil else { return }
        session.logEnd("a message is too large", error, consumers.hearing)
        close(error, replyCode: .contentTooLarge)
    }

    /// Tells the link what the message takes that has begun.
    private func countBegun() throws(AMQPError) {
        let change = assembly.heldBytes - batch.begunBytes
        guard change != 0 else { return }
        batch.begunBytes = assembly.heldBytes
        guard session.link.begunMessages.exceedsLimit(changingBy: change, own: batch.begunBytes) else { return }
        dropBegun()
        throw AMQPError(
            .contentTooLarge,
            "messages that have begun on the connection take more than \(session.link.begunMessages.limit) bytes"
        )
    }

    /// Frees what has come of a message that nobody will get.
    func dropBegun() {
        assembly.skip()
        // Less is never too much.
        try? countBegun()
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
            if !source.noAck { batch.newTags.append(tag) }
            consumers.lanes.append(incoming, to: lane)
            batch.delivered &+= 1
            batch.redelivered &+= redelivered ? 1 : 0
        case .late(let consumer, let tag):
            guard !consumer.noAck else { return }
            try session.outbox.noteAnswer()
            batch.newTags.append(tag)
            if let question = consumer.question {
                handOver()
                question.consider(tag: tag, redelivered: false, offset: message.streamOffset)
                question.giveBack([tag])
            } else if consumer.isStream == true {
                // Rejecting a stream's message might end the connection. Unsettled, it would hold up all behind it.
                handOver()
                try? session.acknowledge(tag, multiple: false)
            } else {
                late.append(tag)
            }
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
        session.tally.delivered.advance(by: 1)
        if get.redelivered { session.tally.redelivered.advance(by: 1) }
        if !source.noAck { session.state.withLock { $0.delivered(CollectionOfOne(get.deliveryTag)) } }
        let incoming = IncomingMessage(
            message: message,
            deliveryTag: get.deliveryTag,
            redelivered: get.redelivered,
            exchangeName: get.exchange,
            routingKey: get.routingKey,
            source: source.with(messagesLeft: Int(get.messageCount))
        )
        defer { continueRetiring() }
        guard !call.reply.succeed(.message(incoming)) else { return }
        // Whoever asked is gone. Without acknowledgement the message is gone with it.
        if !source.noAck { session.requeue([get.deliveryTag]) }
    }
}
