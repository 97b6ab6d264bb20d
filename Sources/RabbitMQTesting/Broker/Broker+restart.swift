internal import RabbitMQ

extension Broker {
    /// Is killed and starts again: connections are gone, and what is not durable.
    mutating func restart() {
        for id in connections.keys.sorted() { drop(id) }
        serveQueues()
        for name in queues.values.filter({ !$0.durable }).map(\.name) { deleteQueue(name) }
        for name in exchanges.values.filter({ !$0.durable }).map(\.name) { deleteExchange(name) }
        for name in queues.keys { queues[name]?.restart(now: now) }
    }
}

extension QueueState {
    /// Keeps what is on the disk: in a quorum queue that is all, otherwise what was published as persistent.
    fileprivate mutating func restart(now: Duration) {
        if !settings.isQuorum { ready.keep { $0.message.deliveryMode == .persistent } }
        // RabbitMQ gives queues that expire their whole time again.
        idleSince = now
    }
}
