internal import Synchronization

/// What has happened on a connection, in numbers that only rise. It outlives links.
///
/// What each message would change is counted under a lock that is held anyway (``Outbox/Traffic``), or once for all that
/// came together. So nothing here is written once a message, but for a confirm or a rejection that comes alone.
final class Tally: Sendable {
    // Written on the link's queue only.
    let delivered = TallyCount()
    let redelivered = TallyCount()
    let confirmed = TallyCount()
    let returned = TallyCount()

    // Written by whoever settles, or ends something.
    let nacked = TallyCount()
    let unknownOutcomes = TallyCount()
    let acknowledged = TallyCount()
    let requeued = TallyCount()
    let rejected = TallyCount()
    let givenBack = TallyCount()
    let staleSettlements = TallyCount()

    /// Times without messages in one direction.
    let paused = Stopwatch()
    let blocked = Stopwatch()
    let down = Stopwatch()

    /// How often the connection was lost, and made again.
    let losses = TallyCount()
    let recoveries = TallyCount()
}

/// A number that only rises.
struct TallyCount: ~Copyable, Sendable {
    private let value = Atomic<Int>(0)

    var current: Int { value.load(ordering: .relaxed) }

    /// Counts on, where one thread at a time does: without the cost of an atomic addition.
    @inline(__always)
    func advance(by count: Int) { value.store(value.load(ordering: .relaxed) &+ count, ordering: .relaxed) }

    /// Counts on, whoever else does.
    func add(_ count: Int) {
        if count != 0 { value.add(count, ordering: .relaxed) }
    }
}

/// Sums up how long something lasts that begins and ends again and again. Times are nanoseconds of ``MonotonicTime``.
final class Stopwatch: Sendable {
    private struct State {
        var since: UInt64?
        var sum: UInt64 = 0
    }

    private let state = Mutex(State())

    /// It begins, unless it has begun.
    func start(at now: UInt64 = MonotonicTime.now) {
        state.withLock { if $0.since == nil { $0.since = now } }
    }

    /// It ends, if it has begun.
    func stop(at now: UInt64 = MonotonicTime.now) {
        state.withLock { state in
            guard let since = state.since else { return }
            state.sum &+= now &- min(since, now)
            state.since = nil
        }
    }

    /// How long it has lasted so far, all times together.
    func elapsed(at now: UInt64 = MonotonicTime.now) -> Duration {
        let nanoseconds = state.withLock { state in
            state.sum &+ (state.since.map { now &- min($0, now) } ?? 0)
        }
        return .nanoseconds(Int64(clamping: nanoseconds))
    }

    /// Since when it lasts; nil while it does not.
    var since: UInt64? { state.withLock { $0.since } }
}
