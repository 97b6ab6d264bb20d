internal import Logging

/// A consumer for which messages wait.
struct SlowConsumer: Sendable {
    let queue: String
    let tag: String
    /// How much waits for it.
    let bytes: Int
}

/// Pausing: nothing is read while too much waits for slow consumers.
extension Link {
    /// How long reading pauses before that is logged.
    private static let patience = Duration.seconds(5)

    /// Pauses or resumes reading, by how much waits for slow consumers.
    func updateReading() {
        guard watch != nil else { return }
        if pause != nil, gauge.hasDrained { endPause() }
        // What a peer left that hung up is no more than the socket holds, and then there is the end.
        let pauses = gauge.decide() && !hasHungUp
        guard pauses != isReadingPaused else { return }
        isReadingPaused = pauses
        if pauses {
            if pause == nil { beginPause() }
            return
        }
        // The peer was not heard because nobody listened.
        lastReceived = MonotonicTime.now
        scheduleReading()
    }

    /// The peer has hung up while reading was paused: what it has sent is read, to find out.
    func hungUp() {
        hasHungUp = true
        isReadingPaused = false
    }

    // MARK: Telling

    /// A pause goes on while there is too much, though reading resumes now and then for the answer to a call.
    struct Pause {
        var timer: UInt64?
    }

    private func beginPause() {
        pause = Pause(timer: warnLater())
        gauge.rememberPause(true)
    }

    private func warnLater() -> UInt64 {
        DeadlineTimer.shared.add(after: Self.patience) { [weak self] in self?.onQueue { $0.warnOfPause() } }
    }

    /// Forgets the pause.
    ///
    /// - Returns: Whether it was logged.
    @discardableResult
    func forgetPause() -> Bool {
        defer { pause = nil }
        guard let pause else { return false }
        gauge.rememberPause(false)
        if let timer = pause.timer { DeadlineTimer.shared.remove(timer) }
        return pause.timer == nil
    }

    private func endPause() {
        guard forgetPause() else { return }
        Task { [logger] in logger.notice("the connection is read again") }
    }

    /// Warns, unless the pause is over or reading goes on for somebody who waits for the broker.
    func warnOfPause() {
        guard pause != nil else { return }
        if gauge.hasDrained {
            forgetPause()
            return
        }
        guard isReadingPaused else {
            pause?.timer = warnLater()
            return
        }
        pause?.timer = nil
        let slow = inboxes.flatMap { $0?.slowConsumers ?? [] }.sorted { $0.bytes > $1.bytes }
        let waiting = gauge.waitingBytes
        // Away from the queue, which a slow log must not hold up.
        Task { [logger] in
            logger.warning(
                "nothing is read from the connection: messages wait for consumers that don't take them",
                metadata: [
                    "queue": "\(slow.prefix(5).map { $0.queue.printable() }.joined(separator: ", "))",
                    "consumer-tag": "\(slow.prefix(5).map { $0.tag.printable() }.joined(separator: ", "))",
                    "bytes": "\(waiting)",
                ]
            )
        }
    }
}
