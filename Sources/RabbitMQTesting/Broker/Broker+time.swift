extension Broker {
    /// Has everything happen that is due by now, in the order in which it is due.
    mutating func advance(to time: Duration) {
        serveQueues()
        // Moment by moment: what expires may come into a queue where it is due again before the end.
        while let next = deadline, next <= max(now, time) {
            now = max(now, next)
            doWhatIsDue()
        }
        now = max(now, time)
    }

    private mutating func doWhatIsDue() {
        let now = now
        let due = queues.values.filter { queue in queue.deadline.map { $0 <= now } == true }
        for queue in due.sorted(by: { $0.id < $1.id }) {
            if let since = queue.idleSince, let life = queue.settings.expires, since + life <= now {
                deleteQueue(queue.name)
            } else {
                unserved.append(queue.name)
            }
        }
        serveQueues()
    }

    /// When something is due next.
    var deadline: Duration? { queues.values.compactMap(\.deadline).min() }
}
