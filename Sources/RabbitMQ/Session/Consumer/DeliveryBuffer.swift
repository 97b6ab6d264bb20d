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
        /// What iterators have taken that wait for more of it before anybody sees it.
        var held: [HeldBatch] = []
        /// Emptied runs, to be filled again.
        var spare: [DeliveryRun] = []
        var waiters: [OneShot<Void>] = []
        var end: End?
        /// How many bytes wait here, and how many of them the gauge counts.
        var waiting = 0
        var counted = 0
        /// How often what waited here was dropped.
        var epoch: UInt32 = 0
        /// Whether it counts among the consumers that the shares are divided by.
        var isSharing = false

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
        case run(DeliveryRun, epoch: UInt32)
        case wait(OneShot<Void>)
        case end(End)
    }

    private let state = Mutex(State())
    /// Counts the bytes that wait here.
    private let gauge: InboundGauge?
    /// Whether a share of what waits here isn't counted.
    private let isLimited: Bool
    /// Counts how often what was taken before was dropped; ``cut`` when nothing may be taken any more, not even what a
    /// consumer holds already.
    private let epoch = Atomic<UInt32>(0)
    private static let cut = UInt32.max

    /// - Parameter isLimited: Whether the prefetch limits how much may wait here.
    init(gauge: InboundGauge?, isLimited: Bool = false) {
        self.gauge = gauge
        self.isLimited = isLimited
        guard isLimited else { return }
        state.withLock { $0.isSharing = true }
        gauge?.changeSharers(by: 1)
    }

    deinit {
        tell(
            state.withLock { state in
                leaveShare(&state)
                state.waiting = 0
                return count(&state)
            }
        )
    }

    /// How many bytes wait here to be taken.
    var waitingBytes: Int { state.withLock { $0.waiting } }

    /// Counts what waits here, but for the share.
    ///
    /// - Returns: By how much that has changed.
    private func count(_ state: inout State) -> Int {
        guard let gauge else { return 0 }
        let counted = isLimited ? gauge.beyondShare(state.waiting) : state.waiting
        defer { state.counted = counted }
        return counted - state.counted
    }

    /// Tells the gauge about a change, without the lock.
    private func tell(_ change: Int) {
        guard change != 0 else { return }
        if isLimited {
            gauge?.changeExcess(by: change)
        } else if change > 0 {
            gauge?.add(change)
        } else {
            gauge?.remove(-change)
        }
    }

    private func leaveShare(_ state: inout State) {
        guard state.isSharing else { return }
        state.isSharing = false
        gauge?.changeSharers(by: -1)
    }

    var isCutOff: Bool { epoch.load(ordering: .acquiring) == Self.cut }

    /// Whether what was taken at a time, told by its epoch, may still be seen.
    @inline(__always)
    func holds(_ epoch: UInt32) -> Bool { self.epoch.load(ordering: .acquiring) == epoch }

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
        let (appended, waiters, change) = state.withLock { state -> (Appended, [OneShot<Void>], Int) in
            guard state.end == nil else { return (.ended, [], 0) }
            state.waiting += bytes
            let change = count(&state)
            if let last = state.runs.last, last.absorb(run) { return (.taken(spare: run), state.takeWaiters(), change) }
            state.runs.append(run)
            return (.taken(spare: state.spare.popLast()), state.takeWaiters(), change)
        }
        tell(change)
        for waiter in waiters { waiter.succeed(()) }
        return appended
    }

    /// Takes what came together, waiting for it if need be.
    ///
    /// - Parameters:
    ///   - emptied: A run that was taken before and is empty now, to be filled again.
    ///   - beforeWaiting: Called if it has to be waited for.
    /// - Returns: A run that is not empty, and when it was taken (``holds(_:)``); or nil if the consumer has ended as it
    ///   should.
    /// - Throws: The reason for another end, or `CancellationError`.
    func take(
        returning emptied: DeliveryRun?,
        beforeWaiting: () -> Void = {}
    ) async throws -> (run: DeliveryRun, epoch: UInt32)? {
        var emptied = emptied
        while true {
            switch tryTake(emptied) {
            case .run(let run, let epoch): return (run, epoch)
            case .end(.finished): return nil
            case .end(.failed(let error)): throw error
            case .wait(let waiter):
                beforeWaiting()
                try await waiter.value()
            }
            emptied = nil
        }
    }

    private func tryTake(_ emptied: DeliveryRun?) -> Taken {
        let (taken, change) = state.withLock { state -> (Taken, Int) in
            if let emptied { state.keep(emptied) }
            if let run = state.runs.popFirst() {
                state.taken.append(run)
                state.waiting -= run.footprint
                return (.run(run, epoch: state.epoch), count(&state))
            }
            if let end = state.end { return (.end(end), 0) }
            let waiter = OneShot<Void>()
            state.waiters.append(waiter)
            return (.wait(waiter), 0)
        }
        tell(change)
        return taken
    }

    /// Says that a run that was taken is being given back.
    func release(_ run: DeliveryRun) { state.withLock { $0.release(run) } }

    /// The tags of what was taken, and nobody has seen.
    func unseenTags(of source: DeliverySource) -> [UInt64] {
        state.withLock { state in
            let held = state.held.flatMap(\.messages).filter { $0.source === source }
            return state.taken.filter { $0.source === source }.flatMap(\.deliveryTags) + held.map(\.deliveryTag)
        }
    }

    /// Whether anything may be here that nobody has seen. Once that is not so for a consumer that has ended, it stays so.
    var hasUnseen: Bool { state.withLock { !$0.runs.isEmpty || !$0.taken.isEmpty || !$0.held.isEmpty } }

    /// Waits until there is something to take, or an end, or until the time has come.
    ///
    /// - Parameters:
    ///   - deadline: In nanoseconds of ``MonotonicTime``.
    ///   - messages: What waits meanwhile.
    /// - Returns: Whether ``take(returning:)`` need not wait; it need not either when the task is cancelled.
    func isReady(before deadline: UInt64, holding messages: [IncomingMessage]) async -> Bool {
        let now = MonotonicTime.now
        let (waiter, batch) = (OneShot<Void>(), HeldBatch(messages))
        let isIdle = state.withLock { state in
            // Who doesn't wait leaves no waiter behind.
            if state.isIdle, now < deadline {
                state.waiters.append(waiter)
                state.held.append(batch)
            }
            return state.isIdle
        }
        guard isIdle else { return true }
        guard now < deadline else { return false }
        defer { state.withLock { state in state.held.removeAll { $0 === batch } } }
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

    /// Drops what waits here, and has consumers drop what they hold, unless it needs no settling. More may come.
    func interrupt(drops: Bool) {
        let (dropped, change) = state.withLock { state -> (Deque<DeliveryRun>, Int) in
            // Its memory is another link's.
            state.spare = []
            guard drops, state.end == nil else { return ([], 0) }
            state.epoch = (state.epoch + 1) % Self.cut
            epoch.store(state.epoch, ordering: .releasing)
            var dropped: Deque<DeliveryRun> = []
            swap(&dropped, &state.runs)
            state.waiting = 0
            return (dropped, count(&state))
        }
        tell(change)
        // Only for what `popFirst` notes: where in the stream the first that is dropped stood. A consumer that has taken
        // nothing begins again there.
        if let first = dropped.first, first.source?.mayBeStream == true { _ = try? first.popFirst(DeliveryDecoder()) }
        for run in dropped { run.clear() }
    }

    /// Ends the stream of messages; the first end counts.
    ///
    /// - Parameters:
    ///   - error: The reason, or nil if it ends as it should.
    ///   - cuts: Whether what waits here is not to be taken any more.
    /// - Returns: What waited here, if it is cut off.
    func end(_ error: AMQPError?, cuts: Bool) -> Deque<DeliveryRun> {
        let (left, waiters, change) = state.withLock { state -> (Deque<DeliveryRun>, [OneShot<Void>], Int) in
            if state.end == nil { state.end = error.map(End.failed) ?? .finished }
            var left: Deque<DeliveryRun> = []
            if cuts {
                epoch.store(Self.cut, ordering: .releasing)
                swap(&left, &state.runs)
                state.waiting = 0
            }
            leaveShare(&state)
            return (left, state.takeWaiters(), count(&state))
        }
        tell(change)
        for waiter in waiters { waiter.succeed(()) }
        return left
    }
}
