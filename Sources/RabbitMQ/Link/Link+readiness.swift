/// When the socket can be read and written.
extension Link {
    /// Has the queue told from now on.
    func watch(_ socket: Socket) throws(AMQPError) {
        lastReceived = MonotonicTime.now
        watch = try SocketPoller.shared.watch(socket.descriptor) { [self] events in onQueue { $0.ready(events) } }
        arm()
    }

    private func ready(_ events: SocketPoller.Events) {
        armed = []
        // Writing must not ask for what is about to be read.
        if events.contains(.readable) { isReadingScheduled = true }
        if events.contains(.writable) { retryWriting() }
        if events.contains(.readable) { readable() }
        arm()
    }

    /// Asks for what the link waits for. Reading goes on while writing waits: a peer that waits for us to read would never
    /// take anything otherwise.
    func arm() {
        guard let watch else { return }
        var wanted: SocketPoller.Events = []
        if !isReadingPaused, !isReadingScheduled { wanted.insert(.readable) }
        if isAwaitingRoom { wanted.insert(.writable) }
        guard !armed.isSuperset(of: wanted) else { return }
        armed = wanted
        guard !watch.arm(wanted) else { return }
        end(AMQPError(.connectionLost, "the socket can't be watched any more"))
    }
}
