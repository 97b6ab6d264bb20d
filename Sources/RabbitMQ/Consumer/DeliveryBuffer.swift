internal import DequeModule
internal import Synchronization

/// Deliveries between the link's queue, which appends them in batches, and a consumer, which takes them in batches.
final class DeliveryBuffer: Sendable {
    private enum End {
        case finished
        case failed(AMQPError)
    }

    private struct State {
        var runs: Deque<DeliveryRun> = []
        /// Runs that are being emptied.
        var taken: [DeliveryRun] = []
        /// Emptied runs, to be filled again.
        var spare: [DeliveryRun] = []
        var waiters: [OneShot<Void>] = []
        var end: End?

        mutating func takeWaiters() -> [OneShot<Void>] {
            defer { waiters = [] }
            return waiters
        }

        var isIdle: Bool { runs.isEmpty && end == nil }

        /// Keeps an emptied run; a few are enough.
        mutating func keep(_ run: DeliveryRun) {
            release(run)
            run.clear()
            if spare.count < 2 { spare.append(run) }
        }

        mutating func release(_ run: DeliveryRun) {
            if let index = taken.firstIndex(where: { $0 === run }) { taken.remove(at: index) }
        }
    }

    private enum Taken {
        case run(DeliveryRun)
        case wait(OneShot<Void>)
        case end(End)
    }

    private let state = Mutex(State())
    /// Counts the bytes that wait here; nil if the prefetch limits them.
    private let gauge: InboundGauge?
    /// Set when nothing may be taken any more, not even what a consumer holds already.
    private let isCut = Atomic<Bool>(false)

    init(gauge: InboundGauge?) { self.gauge = gauge }

    deinit {
        let left = state.withLock { $0.runs.reduce(0) { $0 + $1.footprint } }
        if left > 0 { gauge?.remove(left) }
    }

    /// How many bytes wait here to be taken.
    var waitingBytes: Int { state.withLock { $0.runs.reduce(0) { $0 + $1.footprint } } }

    var isCutOff: Bool { isCut.load(ordering: .acquiring) }

    /// What became of a run.
    enum Appended {
        /// It was taken; instead of it another may be filled.
        case taken(spare: DeliveryRun?)
        /// Nothing is taken any more.
        case ended
    }

    /// Appends a run.
    func append(_ run: DeliveryRun) -> Appended {
        guard !run.isEmpty else { return .taken(spare: run) }
        let bytes = run.footprint
        let (appended, waiters) = state.withLock { state -> (Appended, [OneShot<Void>]) in
            guard state.end == nil else { return (.ended, []) }
            if let last = state.runs.last, last.absorb(run) { return (.taken(spare: run), state.takeWaiters()) }
            state.runs.append(run)
            return (.taken(spare: state.spare.popLast()), state.takeWaiters())
        }
        if case .taken = appended { gauge?.add(bytes) }
        for waiter in waiters { waiter.succeed(()) }
        return appended
    }

    /// Takes what came together, waiting for it if need be.
    ///
    /// - Parameter emptied: A run that was taken before and is empty now, to be filled again.
    /// - Returns: A run that is not empty, or nil if the consumer has ended as it should.
    /// - Throws: The reason for another end, or `CancellationError`.
    func take(returning emptied: DeliveryRun?) async throws -> DeliveryRun? {
        var emptied = emptied
        while true {
            switch tryTake(emptied) {
            case .run(let run): return run
            case .end(.finished): return nil
            case .end(.failed(let error)): throw error
            case .wait(let waiter): try await waiter.value()
            }
            emptied = nil
        }
    }

    private func tryTake(_ emptied: DeliveryRun?) -> Taken {
        let taken = state.withLock { state -> Taken in
            if let emptied { state.keep(emptied) }
            if let run = state.runs.popFirst() {
                state.taken.append(run)
                return .run(run)
            }
            if let end = state.end { return .end(end) }
            let waiter = OneShot<Void>()
            state.waiters.append(waiter)
            return .wait(waiter)
        }
        if case .run(let run) = taken { gauge?.remove(run.footprint) }
        return taken
    }

    /// Says that a run that was taken is being given back.
    func release(_ run: DeliveryRun) { state.withLock { $0.release(run) } }

    /// The tags of what is in runs that were taken, and nobody has seen.
    var unseenTags: [UInt64] { state.withLock { $0.taken.flatMap(\.deliveryTags) } }

    /// Waits until there is something to take, or an end, or until the time has come.
    ///
    /// - Parameter deadline: In nanoseconds of ``MonotonicTime``.
    /// - Returns: Whether ``take(returning:)`` need not wait; it need not either when the task is cancelled.
    func isReady(before deadline: UInt64) async -> Bool {
        let now = MonotonicTime.now
        let waiter = OneShot<Void>()
        let isIdle = state.withLock { state in
            // Who doesn't wait leaves no waiter behind.
            if state.isIdle, now < deadline { state.waiters.append(waiter) }
            return state.isIdle
        }
        guard isIdle else { return true }
        guard now < deadline else { return false }
        do {
            try await withDeadline(after: .nanoseconds(deadline - now)) {
                waiter.succeed(())
            } _: {
                try await waiter.value()
            }
        } catch {
            return true
        }
        return state.withLock { !$0.isIdle }
    }

    /// Ends the stream of messages; the first end counts.
    ///
    /// - Parameters:
    ///   - error: The reason, or nil if it ends as it should.
    ///   - cuts: Whether what waits here is not to be taken any more.
    /// - Returns: What waited here, if it is cut off.
    func end(_ error: AMQPError?, cuts: Bool) -> Deque<DeliveryRun> {
        let (left, waiters) = state.withLock { state -> (Deque<DeliveryRun>, [OneShot<Void>]) in
            if state.end == nil { state.end = error.map(End.failed) ?? .finished }
            var left: Deque<DeliveryRun> = []
            if cuts {
                isCut.store(true, ordering: .releasing)
                swap(&left, &state.runs)
            }
            return (left, state.takeWaiters())
        }
        for run in left { gauge?.remove(run.footprint) }
        for waiter in waiters { waiter.succeed(()) }
        return left
    }
}
