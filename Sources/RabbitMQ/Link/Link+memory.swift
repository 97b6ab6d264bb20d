/// Giving back the memory that a busy time has left: buffers that have grown, and what was put aside for use again.
///
/// A timer of its own does it, as a connection may be without heartbeats. It runs only while there is something to give
/// back, so that a connection at rest wakes nobody for it.
extension Link {
    /// Sets the timer if memory was left and it does not run.
    ///
    /// What is in use at that time, and is left then, is noticed when it is: by whoever empties it, or puts it aside.
    @inline(__always)
    func noteSpareMemory() {
        if memoryTimer == nil, frames.received.hasSpareMemory || flight.hasSpareMemory { giveBackLater() }
    }

    @inline(never)
    func giveBackLater() {
        guard memoryTimer == nil else { return }
        memoryTimer = DeadlineTimer.shared.add(after: configuration.spareMemoryTime) { [weak self] in
            self?.onQueue { $0.giveBackMemory() }
        }
    }

    func giveBackMemory() {
        memoryTimer.map(DeadlineTimer.shared.remove)
        memoryTimer = nil
        frames.received.trim()
        flight.trim()
        outbox.trim()
        chunks.trim()
        decoders.trim()
    }
}
