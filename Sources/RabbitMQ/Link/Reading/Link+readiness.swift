internal import Synchronization

/// When the socket can be read and written.
extension Link {
    /// Has the link told from now on.
    func watch(_ socket: Socket) throws(AMQPError) {
        reading.heard(at: MonotonicTime.now)
        watch = try SocketPoller.shared.watch(socket.descriptor) { [self] events, hasTime in
            if hasTime, events == .readable, isQuiet.load(ordering: .relaxed) {
                let isDone = executor.runIfIdle { assumeIsolated { $0.ready(events, on: .poller) } }
                if isDone { return }
            }
            onQueue { $0.ready(events, on: .queue) }
        }
        arm()
    }

    private func ready(_ events: SocketPoller.Events, on thread: ReadingThread) {
        interest.fired()
        let reads = reading.ready(events)
        if events.contains(.writable) { retryWriting() }
        if reads { readable(on: thread) }
        arm()
    }

    /// Notes how much there was to read, which decides on which thread what comes next is read.
    func noteRead(_ count: Int) {
        let isOpen = if case .open = phase { true } else { false }
        let quiet = isOpen && reading.isQuiet(after: count) && !writing.isBusy
        if quiet != isQuiet.load(ordering: .relaxed) { isQuiet.store(quiet, ordering: .relaxed) }
    }

    /// Has the poller tell when the socket can be read or written again, as far as the link waits for that.
    ///
    /// The poller tells once and then not again until it is armed: without this call behind each event, and behind each
    /// change of what is wanted, the connection would stand still. While the socket takes nothing, reading is still asked
    /// for: a broker that waits for us to read does not take anything before.
    func arm() {
        guard let watch else { return }
        let wanted = reading.wanted.union(writing.wanted)
        guard interest.arm(for: wanted), !watch.arm(wanted) else { return }
        endSoon(AMQPError(.connectionLost, "the socket can't be watched any more"))
    }
}
