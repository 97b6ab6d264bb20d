extension Broker {
    /// Has everything happen that is due by now.
    mutating func advance(to time: Duration) {
        now = max(now, time)
        for (name, queue) in queues {
            guard let deadline = queue.deadline, deadline <= now else { continue }
            if let since = queue.idleSince, let life = queue.settings.expires, since + life <= now {
                deleteQueue(name)
            } else {
                unserved.append(name)
            }
        }
        serveQueues()
    }

    /// When something is due next.
    var deadline: Duration? { queues.values.compactMap(\.deadline).min() }
}
