internal import Synchronization

extension Link {
    /// The last frames, if they are recorded.
    var recording: FlightRecording? {
        guard let sent, let received else { return nil }
        let now = MonotonicTime.now
        let written = outbox.state.withLock { _ in sent.entries(isSent: true, at: now) }
        let entries = (written + received.entries(isSent: false, at: now)).sorted { $0.age > $1.age }
        return FlightRecording(entries: entries)
    }
}
