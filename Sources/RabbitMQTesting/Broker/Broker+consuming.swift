internal import RabbitMQ

extension Broker {
    mutating func begin(_ consume: Request.Consume, _ key: ChannelKey) throws(Refusal) {
        if consume.queue == Self.directReplies { return try beginReplies(consume, key) }
        let name = try queueName(consume.queue, key)
        try requireUse(of: name, key)
        let tag = consume.tag.isEmpty ? "amq.ctag-\(nextSerial())" : consume.tag
        if let priority = consume.arguments["x-priority"], priority.intValue == nil {
            throw Refusal(.preconditionFailed, "invalid arg 'x-priority' for queue '\(name)' in vhost '/'")
        }
        if consume.arguments["x-stream-offset"] != nil {
            let type = queues[name]?.settings.isQuorum == true ? "quorum" : "classic"
            throw Refusal(
                .preconditionFailed,
                "invalid arg 'x-stream-offset' for queue '\(name)' in vhost '/' of queue type rabbit_\(type)_queue"
            )
        }
        if channels[key]?.consumers[tag] != nil || channels[key]?.replyConsumer == tag {
            throw Refusal(.notAllowed, "attempt to reuse consumer tag '\(tag)'")
        }
        if channels[key]?.channelPrefetch ?? 0 > 0, queues[name]?.settings.isQuorum == true {
            throw Refusal(.notImplemented, "queue '\(name)' in vhost '/' does not support global qos")
        }
        let others = queues[name]?.consumers ?? []
        let isSingle = queues[name]?.settings.hasSingleActiveConsumer == true
        if others.contains(where: \.isExclusive) || consume.exclusive && (isSingle || !others.isEmpty) {
            throw Refusal(.accessRefused, "queue '\(name)' in vhost '/' in exclusive use")
        }
        let prefetch = channels[key]?.consumerPrefetch ?? 0
        let id = nextSerial()
        channels[key]?.consumers[tag] = ChannelState.Consumer(
            id: id,
            queue: name,
            noAck: consume.noAck,
            prefetch: prefetch
        )
        queues[name]?.add(
            QueueState.Consumer(
                channel: key,
                tag: tag,
                priority: consume.arguments["x-priority"]?.intValue ?? 0,
                isExclusive: consume.exclusive
            )
        )
        if !consume.noWait { send(.consumeOk(tag), to: key) }
        unserved.append(name)
    }

    mutating func cancel(_ tag: String, _ key: ChannelKey, noWait: Bool) {
        if channels[key]?.replyConsumer == tag {
            channels[key]?.replyConsumer = nil
            channels[key]?.replyAddress = nil
        }
        let consumer = channels[key]?.consumers.removeValue(forKey: tag)
        if !noWait { send(.cancelOk(tag), to: key) }
        guard let queue = consumer?.queue else { return }
        queues[queue]?.removeConsumers(now: now) { $0.channel == key && $0.tag == tag }
        noteUnused(queue)
        unserved.append(queue)
    }

    mutating func get(_ name: String, noAck: Bool, _ key: ChannelKey) throws(Refusal) {
        let name = try queueName(name, key)
        try requireUse(of: name, key)
        if let settings = queues[name]?.settings, settings.isQuorum, settings.hasSingleActiveConsumer {
            throw Refusal(
                .resourceLocked,
                "cannot obtain access to locked queue '\(name)' in vhost '/'. basic.get operations are not supported by "
                    + "quorum queues with single active consumer"
            )
        }
        if queues[name]?.idleSince != nil { queues[name]?.idleSince = now }
        expire(name, includingNew: true)
        guard let message = queues[name]?.ready.popFirst() else { return send(.getEmpty, to: key) }
        let tag = take(message, from: name, by: nil, noAck: noAck, key)
        let left = queues[name]?.ready.count ?? 0
        connections[key.connection]?.send(
            .getOk(tag: tag, message, left: left),
            channel: key.number,
            message.asDelivered
        )
    }

    /// Notes that a message is with a client.
    ///
    /// - Returns: The delivery's tag.
    private mutating func take(
        _ message: StoredMessage,
        from queue: String,
        by consumer: String?,
        noAck: Bool,
        _ key: ChannelKey
    ) -> UInt64 {
        guard !noAck else { return channels[key]?.deliveries.add(nil) ?? 0 }
        queues[queue]?.unsettledCount += 1
        if let consumer { channels[key]?.consumers[consumer]?.unsettledCount += 1 }
        let entry = DeliveryLedger.Entry(
            queue: queue,
            queueID: queues[queue]?.id ?? 0,
            consumer: consumer,
            consumerID: consumer.flatMap { channels[key]?.consumers[$0]?.id },
            message: message
        )
        return channels[key]?.deliveries.add(entry) ?? 0
    }

    // MARK: Serving

    /// Delivers, expires and drops what is to be, until nothing is left to do.
    mutating func serveQueues() {
        while !unserved.isEmpty {
            let names = unserved
            unserved = []
            var served: Set<String> = []
            for name in names where served.insert(name).inserted { serve(name) }
        }
    }

    private mutating func serve(_ name: String) {
        expire(name, includingNew: false)
        while queues[name]?.ready.isEmpty == false, let consumer = nextConsumer(of: name) {
            guard let message = queues[name]?.ready.popFirst() else { break }
            deliver(message, from: name, to: consumer)
            expire(name, includingNew: false)
        }
        expire(name, includingNew: true)
        while queues[name]?.isOverfull == true, let message = queues[name]?.ready.popFirst() {
            deadLetter(message, from: name, .maxLength)
        }
    }

    private mutating func nextConsumer(of name: String) -> QueueState.Consumer? {
        let channels = channels
        return queues[name]?.takeTurn { channels[$0.channel]?.canDeliver(to: $0.tag) == true }
    }

    private mutating func deliver(_ message: StoredMessage, from name: String, to consumer: QueueState.Consumer) {
        let key = consumer.channel
        let method = MethodID(classID: 60, methodID: 60)
        let fault = script.isEmpty ? nil : takeFault(.delivery(queue: name), key.connection)
        let noAck = channels[key]?.consumers[consumer.tag]?.noAck == true
        if let fault, !fault.isAfterwards {
            // Never back into the queue while the consumer is there: with a fault that comes any number of times, to
            // serve it would not end.
            switch fault.kind {
            case .cut, .closeChannel, .closeConnection:
                queues[name]?.ready.insert(message)
                return apply(fault, on: key, over: method)
            case .ignore:
                _ = take(message, from: name, by: consumer.tag, noAck: noAck, key)
                return
            case .freeze: apply(fault, on: key, over: method)
            // Of what a client publishes.
            case .nack, .returned: break
            }
        }
        let tag = take(message, from: name, by: consumer.tag, noAck: noAck, key)
        connections[key.connection]?.send(
            .deliver(consumer: consumer.tag, tag: tag, message),
            channel: key.number,
            message.asDelivered
        )
        if let fault { apply(fault, on: key, over: method) }
    }

    /// Takes out what has lived too long.
    ///
    /// - Parameter includingNew: Whether also what has no time to live at all: that goes to a consumer if one waits.
    private mutating func expire(_ name: String, includingNew: Bool) {
        let now = now
        let expired =
            queues[name]?.ready.popExpired { message in
                guard let expiry = message.expiry else { return false }
                return expiry < now || includingNew && expiry == now
            } ?? []
        for message in expired { deadLetter(message, from: name, .expired) }
    }
}

extension StoredMessage {
    /// With what a quorum queue adds.
    var asDelivered: StoredMessage {
        guard deliveryCount > 0 else { return self }
        var message = self
        message.updateHeaders { $0["x-delivery-count"] = .int64(Int64(deliveryCount)) }
        return message
    }
}
