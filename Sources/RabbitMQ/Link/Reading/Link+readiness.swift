internal import Synchronization

/// When the socket can be read and written.
extension Link {
    /// Has the link told from now on.
    func watch(_ socket: Socket) throws(AMQPError) {
        lastReceived = MonotonicTime.now
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
        armed = []
        if events.contains(.hungUp), isReadingPaused { hungUp() }
        let reads = !events.isDisjoint(with: [.readable, .hungUp])
        // Writing must not ask for what is about to be read.
        if reads { isReadingScheduled = true }
        if events.contains(.writable) { retryWriting() }
        if reads { readable(on: thread) }
        arm()
    }

    /// Notes how much there was to read, for where to read what comes next.
    func noteRead(_ count: Int) {
        let isOpen = if case .open = phase { true } else { false }
        let isWriting = isAwaitingRoom || isCooling || !isFlightEmpty
        let quiet = isOpen && count <= ReadingThread.little && !isWriting && !isReadingPaused && !isReadingScheduled
        if quiet != isQuiet.load(ordering: .relaxed) { isQuiet.store(quiet, ordering: .relaxed) }
    }

    /// Asks for what the link waits for. Reading goes on while writing waits: a peer that waits for us to read would never
    /// take anything otherwise.
    func arm() {
        guard let watch else { return }
        var wanted: SocketPoller.Events = []
        if isReadingPaused {
            wanted.insert(.hungUp)
        } else if !isReadingScheduled {
            wanted.insert(.readable)
        }
        if isAwaitingRoom { wanted.insert(.writable) }
        guard !armed.isSuperset(of: wanted) else { return }
        armed = wanted
        guard !watch.arm(wanted) else { return }
        endSoon(AMQPError(.connectionLost, "the socket can't be watched any more"))
    }
}
