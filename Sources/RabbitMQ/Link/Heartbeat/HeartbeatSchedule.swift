/// When a heartbeat is due, and from when on a peer counts as gone. A value without a clock: times are given in
/// nanoseconds of a monotonic clock.
struct HeartbeatSchedule {
    let interval: UInt64

    init(seconds: UInt16) { interval = UInt64(seconds) * 1_000_000_000 }

    /// Something is sent every half interval, so that one late frame is no silence.
    var halfInterval: UInt64 { interval / 2 }

    func isSilent(now: UInt64, lastReceived: UInt64) -> Bool { now >= lastReceived + 2 * interval }

    func isDue(now: UInt64, lastSent: UInt64) -> Bool { now >= lastSent + halfInterval }

    /// When to look again, after what was due now has been done.
    ///
    /// - Parameter lastReceived: nil while nothing is read, so that nothing can be heard.
    func nextLook(now: UInt64, lastSent: UInt64, lastReceived: UInt64?) -> UInt64 {
        let sends = isDue(now: now, lastSent: lastSent) ? now + halfInterval : lastSent + halfInterval
        guard let lastReceived else { return sends }
        return min(sends, lastReceived + 2 * interval)
    }
}
