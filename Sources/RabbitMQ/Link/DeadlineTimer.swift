internal import Dispatch
internal import Synchronization

/// The one timer behind all deadlines of the process. It is set only while something waits.
final class DeadlineTimer: Sendable {
    static let shared = DeadlineTimer()

    private let deadlines = Mutex(Deadlines())
    private let queue = DispatchQueue(label: "rabbitmq.deadlines")

    /// Has `expire` called after `duration`, on a queue on which it must not block.
    func add(after duration: Duration, expire: @escaping @Sendable () -> Void) -> UInt64 {
        let now = MonotonicTime.now
        let (id, arm) = deadlines.withLock { $0.add(at: now &+ duration.nanoseconds, expire: expire) }
        if let arm { set(arm) }
        return id
    }

    func remove(_ id: UInt64) {
        deadlines.withLock { $0.remove(id) }
    }

    private func set(_ time: UInt64) {
        queue.asyncAfter(deadline: DispatchTime(uptimeNanoseconds: time)) { self.fire(setFor: time) }
    }

    /// A timer that is early for what is there by then finds nothing due, and is set anew.
    private func fire(setFor time: UInt64) {
        let (due, arm) = deadlines.withLock { $0.takeDue(now: MonotonicTime.now, setFor: time) }
        if let arm { set(arm) }
        for entry in due { entry.expire() }
    }
}

/// Runs `body` and calls `expire` if it takes longer than `duration`. `body` has to end by what `expire` does.
func withDeadline<T>(
    after duration: Duration,
    expire: @escaping @Sendable () -> Void,
    _ body: () async throws -> T
) async rethrows -> T {
    let id = DeadlineTimer.shared.add(after: duration, expire: expire)
    defer { DeadlineTimer.shared.remove(id) }
    return try await body()
}

enum MonotonicTime {
    /// Nanoseconds of the clock that Dispatch's deadlines use.
    static var now: UInt64 { DispatchTime.now().uptimeNanoseconds }
}

extension Duration {
    /// From nothing to a hundred years. Beyond, `components` and what is calculated with a duration may overflow.
    var clampedToCentury: Duration { min(max(self, .zero), .seconds(3_155_760_000)) }

    /// What is left of it, from `start` on, in nanoseconds of ``MonotonicTime``; all of it if that is nil.
    func left(since start: UInt64?) -> Duration {
        guard let start else { return self }
        let (end, now) = (start &+ nanoseconds, MonotonicTime.now)
        return .nanoseconds(end > now ? end - now : 0)
    }

    /// In nanoseconds, not below zero and never so many that a sum of times overflows.
    var nanoseconds: UInt64 {
        let (seconds, attoseconds) = clampedToCentury.components
        return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
    }
}
