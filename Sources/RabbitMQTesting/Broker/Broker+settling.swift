internal import RabbitMQ

extension Broker {
    mutating func acknowledge(_ tag: UInt64, multiple: Bool, _ key: ChannelKey) throws(Refusal) {
        for entry in try take(tag, multiple: multiple, key) { noteSettled(entry, key) }
    }

    /// - Parameter counts: Whether it was a basic.reject, which RabbitMQ counts as a delivery in vain from 4.3 on, other than
    ///   a basic.nack.
    mutating func reject(
        _ tag: UInt64,
        multiple: Bool = false,
        requeue: Bool,
        counts: Bool = false,
        _ key: ChannelKey
    ) throws(Refusal) {
        let entries = try take(tag, multiple: multiple, key)
        if requeue { return giveBack(entries, key) }
        for entry in entries where noteSettled(entry, key) {
            deadLetter(entry.message, from: entry.queue, .rejected, isRedelivered: counts && isAtLeast(4, 3))
        }
    }

    private mutating func take(
        _ tag: UInt64,
        multiple: Bool,
        _ key: ChannelKey
    ) throws(Refusal) -> [DeliveryLedger.Entry] {
        let taken = channels[key]?.deliveries.take(tag, multiple: multiple) ?? []
        if taken.isEmpty, !(multiple && tag == 0) {
            throw Refusal(.preconditionFailed, "unknown delivery tag \(tag)")
        }
        return taken.map(\.entry)
    }

    /// Counts a delivery out.
    ///
    /// - Returns: Whether the queue is there that it came from, and not another one of its name.
    @discardableResult
    private mutating func noteSettled(_ entry: DeliveryLedger.Entry, _ key: ChannelKey) -> Bool {
        let isThere = queues[entry.queue]?.id == entry.queueID
        if isThere { queues[entry.queue]?.unsettledCount -= 1 }
        if let consumer = entry.consumer, channels[key]?.consumers[consumer]?.id == entry.consumerID {
            channels[key]?.consumers[consumer]?.unsettledCount -= 1
        }
        // A limit for the whole channel lets any of its queues go on.
        if channels[key]?.channelPrefetch ?? 0 > 0 { serveAll(of: key) } else { unserved.append(entry.queue) }
        return isThere
    }

    /// Puts deliveries back where they were in their queues.
    mutating func giveBack(_ entries: [DeliveryLedger.Entry], _ key: ChannelKey) {
        for entry in entries where noteSettled(entry, key) {
            guard let settings = queues[entry.queue]?.settings else { continue }
            var message = entry.message
            message.redelivered = true
            if settings.isQuorum { message.deliveryCount += 1 }
            if let limit = settings.deliveryLimit, message.deliveryCount > limit {
                deadLetter(message, from: entry.queue, .deliveryLimit)
                continue
            }
            queues[entry.queue]?.ready.insert(message)
            unserved.append(entry.queue)
        }
    }
}
