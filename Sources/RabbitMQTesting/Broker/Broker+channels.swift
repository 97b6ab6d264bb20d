internal import RabbitMQ

extension Broker {
    mutating func handleChannel(_ request: Request, _ key: ChannelKey) throws(Refusal) {
        guard connections[key.connection]?.phase == .open else { return }
        if channels[key]?.isClosing == true {
            switch request {
            case .channelCloseOk: channels[key] = nil
            case .channelClose: send(.channelCloseOk, to: key)
            default: break
            }
            return
        }
        if case .channelOpen = request {
            guard channels[key] == nil else { throw Refusal(.channelError, "second 'channel.open' seen") }
            let channelMax = connections[key.connection]?.channelMax ?? 0
            guard channelMax == 0 || key.number <= channelMax else {
                throw Refusal(.notAllowed, "number of channels opened exceeds the negotiated channel_max")
            }
            channels[key] = ChannelState()
            return send(.channelOpenOk, to: key)
        }
        guard channels[key] != nil else {
            if case .channelCloseOk = request { return }
            throw Refusal(.channelError, "expected 'channel.open'")
        }
        guard channels[key]?.content == nil else { throw Refusal(.unexpectedFrame, "expected content") }
        switch request {
        case .exchangeDeclare, .exchangeDelete, .exchangeBind, .exchangeUnbind, .queueBind, .queueUnbind:
            try handleRouting(request, key)
        case .queueDeclare, .queuePurge, .queueDelete: try handleQueue(request, key)
        case .publish(let publish): try beginContent(publish, key)
        default: try handleUse(request, key)
        }
    }

    private mutating func handleUse(_ request: Request, _ key: ChannelKey) throws(Refusal) {
        switch request {
        case .channelClose:
            release(key)
            channels[key] = nil
            send(.channelCloseOk, to: key)
        case .channelFlow(let active):
            guard active else { throw Refusal(.notImplemented, "active=false") }
            send(.channelFlowOk(active: true), to: key)
        case .channelFlowOk, .channelCloseOk: break
        case .qos(let size, let count, let global):
            guard size == 0 else { throw Refusal(.notImplemented, "prefetch_size!=0 (\(size))") }
            // From 4.3 on RabbitMQ denies a limit for the whole channel by taking it for one of each consumer.
            if global, !isAtLeast(4, 3) {
                channels[key]?.channelPrefetch = count
            } else {
                channels[key]?.consumerPrefetch = count
                // A limit for each lifts the one for all.
                channels[key]?.channelPrefetch = 0
            }
            send(.qosOk, to: key)
            serveAll(of: key)
        case .consume(let consume): try begin(consume, key)
        case .cancel(let tag, let noWait): cancel(tag, key, noWait: noWait)
        case .get(let queue, let noAck): try get(queue, noAck: noAck, key)
        case .ack(let tag, let multiple): try acknowledge(tag, multiple: multiple, key)
        case .nack(let tag, let multiple, let requeue):
            try reject(tag, multiple: multiple, requeue: requeue, key)
        case .reject(let tag, let requeue): try reject(tag, requeue: requeue, counts: true, key)
        case .recover(let requeue, let isAnswered):
            guard requeue else { throw Refusal(.notImplemented, "requeue=false") }
            let taken = channels[key]?.deliveries.takeAll() ?? []
            giveBack(taken.map(\.entry), key)
            if isAnswered { send(.recoverOk, to: key) }
        case .confirmSelect(let noWait):
            if channels[key]?.lastNumber == nil { channels[key]?.lastNumber = 0 }
            if !noWait { send(.confirmSelectOk, to: key) }
        case .transaction: throw Refusal(.notImplemented, "this broker has no transactions")
        default: throw Refusal(.commandInvalid, "a method of another channel")
        }
    }

    /// Closes a channel with a reason, and waits for the client's answer.
    mutating func closeChannel(_ key: ChannelKey, _ refusal: Refusal, over method: MethodID) {
        guard channels[key]?.isClosing == false else { return }
        release(key)
        var closing = ChannelState()
        closing.isClosing = true
        channels[key] = closing
        send(.channelClose(refusal, over: method), to: key)
    }

    /// Gives up what belongs to a channel: its consumers, and what it has not settled.
    mutating func release(_ key: ChannelKey) {
        guard let consumers = channels[key]?.consumers else { return }
        let taken = channels[key]?.deliveries.takeAll() ?? []
        giveBack(taken.map(\.entry), key)
        channels[key]?.consumers = [:]
        channels[key]?.replyAddress = nil
        let now = now
        for (tag, consumer) in consumers {
            queues[consumer.queue]?.removeConsumers(now: now) { $0.channel == key && $0.tag == tag }
            noteUnused(consumer.queue)
        }
    }

    /// Has all queues served from which a channel consumes.
    mutating func serveAll(of key: ChannelKey) {
        for consumer in channels[key]?.consumers.values ?? [:].values { unserved.append(consumer.queue) }
    }
}
