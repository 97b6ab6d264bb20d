internal import Dispatch

/// Heartbeats (AMQP 0-9-1, section 4.2.7): a frame every half interval if nothing else was sent, and the end after two
/// intervals without a byte.
extension Link {
    func startHeartbeats(interval: UInt16) {
        guard interval > 0, case .open = phase else { return }
        let interval = UInt64(interval) * 1_000_000_000
        let timer = DispatchSource.makeTimerSource(queue: queue)
        timer.setEventHandler { [self] in assumeIsolated { $0.beat(interval: interval) } }
        heartbeatTimer = timer
        timer.schedule(deadline: .now() + .nanoseconds(Int(interval / 2)))
        timer.activate()
    }

    private func isSilent(for time: UInt64) -> Bool {
        !isReadingPaused && MonotonicTime.now &- lastReceived >= time
    }

    private func beat(interval: UInt64) {
        // What came while the queue was busy counts, though it was not read yet.
        if isSilent(for: 2 * interval) { readable() }
        guard let heartbeatTimer else { return }
        let now = MonotonicTime.now
        if isSilent(for: 2 * interval) {
            end(
                AMQPError(
                    .connectionLost,
                    "the peer was silent for two heartbeat intervals of \(interval / 1_000_000_000) s"
                )
            )
            return
        }
        var sendsAt = lastSent + interval / 2
        if sendsAt <= now {
            sendsAt = now + interval / 2
            if isFlightEmpty { try? outbox.append { buffer in buffer.appendHeartbeat() } }
        }
        let silenceEnds = isReadingPaused ? .max : lastReceived + 2 * interval
        heartbeatTimer.schedule(deadline: DispatchTime(uptimeNanoseconds: min(sendsAt, silenceEnds)))
    }
}
