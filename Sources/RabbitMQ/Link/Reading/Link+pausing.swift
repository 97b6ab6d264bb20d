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
        if pause.isOpen, gauge.hasDrained { endPause() }
        switch reading.pause(if: gauge.decide()) {
        case .none: return
        case .paused:
            base.tally.paused.start()
            guard !pause.isOpen else { return }
            gauge.rememberPause(true)
            warnLater()
        case .resumed:
            base.tally.paused.stop()
            // The peer was not heard because nobody listened.
            reading.heard(at: MonotonicTime.now)
            scheduleReading()
        }
    }

    // MARK: Telling

    private func warnLater() {
        let timer = DeadlineTimer.shared.add(after: Self.patience) { [weak self] in
            self?.onQueue { $0.warnOfPause() }
        }
        pause.wait(for: timer)
    }

    /// Forgets the pause.
    ///
    /// - Returns: Whether it was logged.
    @discardableResult
    func forgetPause() -> Bool {
        guard pause.isOpen else { return false }
        gauge.rememberPause(false)
        let rest = pause.forget()
        if case .timer(let timer) = rest { DeadlineTimer.shared.remove(timer) }
        return rest == .said
    }

    private func endPause() {
        guard forgetPause() else { return }
        Task { [logger] in logger.notice("the connection is read again") }
    }

    /// Warns, unless the pause is over or reading goes on for somebody who waits for the broker.
    func warnOfPause() {
        switch pause.timeIsUp(hasDrained: gauge.hasDrained, isPaused: reading.isPaused) {
        case .nothing: return
        case .forget: forgetPause()
        case .wait: warnLater()
        case .say: warn()
        }
    }

    private func warn() {
        let slow = inboxes.all.flatMap(\.slowConsumers).sorted { $0.bytes > $1.bytes }
        let waiting = gauge.waitingBytes
        // Away from the queue, which a slow log must not hold up.
        Task { [logger] in
            logger.warning(
                "nothing is read from the connection: messages wait for consumers that don't take them",
                metadata: [
                    LogKey.queue: "\(slow.prefix(5).map { $0.queue.printable() }.joined(separator: ", "))",
                    LogKey.consumerTag: "\(slow.prefix(5).map { $0.tag.printable() }.joined(separator: ", "))",
                    LogKey.bytes: "\(waiting)",
                ]
            )
        }
    }
}
