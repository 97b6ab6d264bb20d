/// Heartbeats (AMQP 0-9-1, section 4.2.7): a frame every half interval if nothing else was sent, and the end after two
/// intervals without a byte.
extension Link {
    func startHeartbeats(interval: UInt16) {
        guard interval > 0, case .open = phase else { return }
        let schedule = HeartbeatSchedule(seconds: interval)
        scheduleBeat(schedule, at: MonotonicTime.now + schedule.halfInterval)
    }

    private func scheduleBeat(_ schedule: HeartbeatSchedule, at time: UInt64) {
        heartbeatTimer = DeadlineTimer.shared.add(at: time) {
            var isDone = false
            _ = self.executor.runIfIdle { isDone = self.assumeIsolated { $0.beatAside(schedule) } }
            if !isDone { self.onQueue { $0.beat(schedule) } }
        }
    }

    /// On the timer's thread, as long as all is well: a thousand connections that are at rest would wake a thousand queues in
    /// each half interval, each on a thread of its own.
    ///
    /// - Returns: Whether that was it. A peer that is silent is the queue's, which tells the application's log.
    private func beatAside(_ schedule: HeartbeatSchedule) -> Bool {
        guard case .open = phase, heartbeatTimer != nil, !reading.isPaused, !isSilent(schedule) else { return false }
        // It looks no more: a peer that is silent from just now on is found with the next look, which is due by then.
        beatNow(schedule, on: .other)
        return true
    }

    private func beat(_ schedule: HeartbeatSchedule) {
        // What came while the queue was busy counts, though it was not read yet.
        if isSilent(schedule) { readable() }
        // That may have ended the link, which removes the timer.
        guard heartbeatTimer != nil else { return }
        if isSilent(schedule) {
            end(
                AMQPError(
                    .connectionLost,
                    "the peer was silent for two heartbeat intervals of \(schedule.interval / 1_000_000_000) s"
                )
            )
            return
        }
        beatNow(schedule, on: .queue)
    }

    /// Sends a heartbeat if one is due, and sets the timer for the next look.
    private func beatNow(_ schedule: HeartbeatSchedule, on thread: WritingThread) {
        let now = MonotonicTime.now
        if schedule.isDue(now: now, lastSent: writing.lastSent), writing.isFlightEmpty {
            let flusher = try? outbox.put(from: sender) { buffer in buffer.appendHeartbeat() }
            if flusher ?? .nobody != .nobody { flush(on: thread) }
            // So may that.
            guard heartbeatTimer != nil else { return }
        }
        let next = schedule.nextLook(
            now: now,
            lastSent: writing.lastSent,
            lastReceived: reading.isPaused ? nil : reading.lastReceived
        )
        scheduleBeat(schedule, at: next)
    }

    private func isSilent(_ schedule: HeartbeatSchedule) -> Bool {
        guard reading.isPaused else {
            return schedule.isSilent(now: MonotonicTime.now, lastReceived: reading.lastReceived)
        }
        // While reading pauses, `lastReceived` tells nothing: each call has it resume for a moment, which sets it anew. The
        // system knows how long the peer was silent.
        let silence = socket.flatMap { PeerSilence(of: $0.descriptor) }
        return silence?.isGone(after: Int(2 * schedule.interval / 1_000_000)) ?? false
    }
}
