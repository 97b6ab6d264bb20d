internal import Synchronization

extension Link {
    /// The last frames, if they are recorded.
    var recording: FlightRecording? {
        guard let sent, let received else { return nil }
        let now = MonotonicTime.now
        let unwritten = flight.unwrittenCount
        let written = outbox.state.withLock { state in
            state.buffer.noteRun()
            // Another link's, if that uses the outbox by now.
            let waiting = state.sender == sender ? state.buffer.byteCount : 0
            return sent.entries(isSent: true, at: now, unwritten: unwritten + waiting)
        }
        let entries = (written + received.entries(isSent: false, at: now)).sorted { $0.age > $1.age }
        return FlightRecording(entries: entries)
    }

    /// Takes out of what is recorded what was being written when the link ended. What waited behind it the outbox has taken
    /// out.
    func takeBackRecorded() {
        guard let sent else { return }
        let unwritten = flight.unwrittenCount
        outbox.state.withLock { _ in sent.takeBack(unwritten) }
    }
}
