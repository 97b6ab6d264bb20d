internal import Synchronization

/// How many bytes of deliveries wait for consumers, and whether to go on reading.
///
/// Above the mark reading pauses, so that the broker stops sending. Who waits for something that the broker says, which
/// stands behind those deliveries, lets reading go on for a while.
///
/// A consumer whose prefetch is limited has a share of its own that counts for nothing: it has asked for no more, and being
/// slow it must not hold up the others. What waits beyond counts: a limit in messages says nothing of their size, and
/// RabbitMQ 4.3 lifts it for a consumer that lives with a limit for the whole channel.
final class InboundGauge: Sendable {
    private let waiting = Atomic<Int>(0)
    /// Of consumers with a limit, beyond their shares.
    private let excess = Atomic<Int>(0)
    private let calls = Atomic<Int>(0)
    /// Up to where reading goes on while somebody waits for the broker.
    private let callMark = Atomic<Int>(0)
    /// The same for what is beyond the shares.
    private let excessMark = Atomic<Int>(0)
    /// Where reading pauses whoever waits: else one wait after another would have it go on for ever.
    private let ceiling: Int
    private let isPaused = Atomic<Bool>(false)
    /// Whether a pause is remembered, though reading may go on for somebody who waits: its end is to be told.
    private let isPauseOpen = Atomic<Bool>(false)
    /// Whether what is counted out may change something: reading is paused, or a pause is remembered.
    private let isWatched = Atomic<Bool>(false)
    /// How many consumers have a share.
    private let sharers = Atomic<Int>(0)
    let highWater: Int
    private let callMargin: Int
    private let onChange: @Sendable () -> Void

    /// What is read for each wait, at the most. What an answer stands behind lies in sockets and in the broker already, a
    /// few MiB for each call, whatever the mark and however much has been read before.
    static let callMargin = 64 << 20

    /// How many margins may wait beyond the mark.
    static let mostMargins = 4

    /// - Parameters:
    ///   - callMargin: How much a wait for the broker adds to what waits, at the most.
    ///   - onChange: Called when reading, which is paused, might go on, or a pause that is remembered might be over; from
    ///     any thread.
    init(highWater: Int, callMargin: Int = InboundGauge.callMargin, onChange: @escaping @Sendable () -> Void) {
        self.highWater = highWater
        self.callMargin = callMargin
        ceiling = highWater.saturatingSum(callMargin.saturatingProduct(Self.mostMargins))
        self.onChange = onChange
    }

    /// How many bytes wait.
    var waitingBytes: Int { waiting.load(ordering: .relaxed) + excess.load(ordering: .relaxed) }

    /// Whether so little waits that reading need not pause, whoever waits for the broker.
    var hasDrained: Bool { waitingBytes <= highWater / 2 }

    func add(_ bytes: Int) { waiting.add(bytes, ordering: .relaxed) }

    /// Counts out bytes that a consumer took or dropped.
    func remove(_ bytes: Int) {
        waiting.subtract(bytes, ordering: .sequentiallyConsistent)
        noteRemoval()
    }

    /// Counts in, or out, what is more than the share of a consumer with a limit.
    func changeExcess(by bytes: Int) {
        excess.add(bytes, ordering: .sequentiallyConsistent)
        if bytes < 0 { noteRemoval() }
    }

    private func noteRemoval() {
        guard isWatched.load(ordering: .sequentiallyConsistent) else { return }
        // For those who wait for the broker reading goes on as soon as it may: if it waited until half of the mark is left,
        // as it does else, they would wait for slow consumers.
        let goesOn = isPaused.load(ordering: .sequentiallyConsistent) && isAwaited && !isBeyondMargin
        if bytesToDecide <= highWater / 2 || goesOn { onChange() }
    }

    /// Whether somebody waits for the broker.
    var isAwaited: Bool { calls.load(ordering: .sequentiallyConsistent) > 0 }

    /// Whether too much waits to go on reading for those who wait for the broker.
    private var isBeyondMargin: Bool {
        let bytes = waiting.load(ordering: .sequentiallyConsistent)
        let beyond = excess.load(ordering: .sequentiallyConsistent)
        return bytes >= callMark.load(ordering: .relaxed) || beyond >= excessMark.load(ordering: .relaxed)
            || bytes.saturatingSum(beyond) >= ceiling
    }

    private var bytesToDecide: Int {
        waiting.load(ordering: .sequentiallyConsistent) + excess.load(ordering: .sequentiallyConsistent)
    }

    /// A consumer begins that has a share, or is at its end.
    func changeSharers(by change: Int) { sharers.add(change, ordering: .relaxed) }

    /// How many of the bytes that wait for a consumer are more than its share.
    ///
    /// All shares together are as much as four times the mark, so that a few slow consumers don't hold up one another; with
    /// more than 256 of them, a 64th of the mark for each.
    func beyondShare(_ bytes: Int) -> Int {
        let least = highWater / 64
        guard bytes > least else { return 0 }
        return max(0, bytes - max(least, highWater.saturatingProduct(4) / max(1, sharers.load(ordering: .relaxed))))
    }

    /// Somebody begins to wait for the broker: `callMargin` more bytes may be read than wait now.
    ///
    /// Counted from the mark instead, the first waits would use up the margin for good, and reading would pause before the
    /// answer to a later call has come: that call would time out. The latest call moves the limit for all of them, because the
    /// broker answers about in the order of the calls, so that its answer is the one furthest behind.
    func callBegan() {
        let bytes = max(highWater, waiting.load(ordering: .relaxed))
        callMark.store(bytes.saturatingSum(callMargin), ordering: .relaxed)
        let beyond = max(highWater, excess.load(ordering: .relaxed))
        excessMark.store(beyond.saturatingSum(callMargin), ordering: .relaxed)
        calls.add(1, ordering: .sequentiallyConsistent)
        if isPaused.load(ordering: .sequentiallyConsistent) { onChange() }
    }

    func callEnded() { calls.subtract(1, ordering: .relaxed) }

    /// Decides, on the queue, whether reading is to pause now.
    func decide() -> Bool {
        let paused = isPaused.load(ordering: .relaxed)
        if !paused, waitingBytes < highWater { return false }
        // Set before the bytes are looked at. A consumer that takes some after that look sees it, and has the decision made
        // again; otherwise reading could stay paused with nothing left to take, for ever.
        isPaused.store(true, ordering: .sequentiallyConsistent)
        isWatched.store(true, ordering: .sequentiallyConsistent)
        let bytes = bytesToDecide
        let isFull = paused ? bytes > highWater / 2 : bytes >= highWater
        let stays = isFull && !(isAwaited && !isBeyondMargin)
        if !stays {
            isPaused.store(false, ordering: .sequentiallyConsistent)
            isWatched.store(isPauseOpen.load(ordering: .relaxed), ordering: .sequentiallyConsistent)
        }
        return stays
    }

    /// Has `onChange` called at half of the mark until the pause is forgotten, on the queue as well.
    func rememberPause(_ isOpen: Bool) {
        isPauseOpen.store(isOpen, ordering: .relaxed)
        let watches = isOpen || isPaused.load(ordering: .relaxed)
        isWatched.store(watches, ordering: .sequentiallyConsistent)
    }
}

extension Int {
    fileprivate func saturatingSum(_ other: Int) -> Int {
        let (sum, overflows) = addingReportingOverflow(other)
        return overflows ? .max : sum
    }

    fileprivate func saturatingProduct(_ other: Int) -> Int {
        let (product, overflows) = multipliedReportingOverflow(by: other)
        return overflows ? .max : product
    }
}
