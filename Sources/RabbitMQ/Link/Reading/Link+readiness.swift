internal import Synchronization

/// When the socket can be read and written.
extension Link {
    /// Has the link told from now on.
    func watch(_ socket: Socket) throws(AMQPError) {
        reading.heard(at: MonotonicTime.now)
        watch = try SocketPoller.shared.watch(socket.descriptor) { [self] events, isAlone in
            if isAlone, events == .readable, isQuiet.load(ordering: .relaxed) {
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

    /// Notes how much there was to read, for where to read what comes next.
    func noteRead(_ count: Int) {
        let isOpen = if case .open = phase { true } else { false }
        let quiet = isOpen && reading.isQuiet(after: count) && !writing.isBusy
        if quiet != isQuiet.load(ordering: .relaxed) { isQuiet.store(quiet, ordering: .relaxed) }
    }

    /// Asks for what the link waits for. Reading goes on while writing waits: a peer that waits for us to read would never
    /// take anything otherwise.
    func arm() {
        guard let watch else { return }
        let wanted = reading.wanted.union(writing.wanted)
        guard interest.arm(for: wanted), !watch.arm(wanted) else { return }
        endSoon(AMQPError(.connectionLost, "the socket can't be watched any more"))
    }
}
