internal import Synchronization

/// How many bytes of deliveries wait for consumers whose prefetch doesn't limit them, and whether to go on reading.
///
/// Above the mark reading pauses, so that the broker stops sending. Who waits for something that the broker says, which
/// stands behind those deliveries, lets reading go on for a while.
final class InboundGauge: Sendable {
    private let waiting = Atomic<Int>(0)
    private let calls = Atomic<Int>(0)
    /// Up to where reading goes on while somebody waits for the broker.
    private let callMark = Atomic<Int>(0)
    private let isPaused = Atomic<Bool>(false)
    let highWater: Int
    private let callMargin: Int
    private let onChange: @Sendable () -> Void

    /// What is read for each wait, at the most. What an answer stands behind lies in sockets and in the broker already, a
    /// few MiB for each call, whatever the mark and however much has been read before.
    static let callMargin = 64 << 20

    /// - Parameters:
    ///   - callMargin: How much a wait for the broker adds to what waits, at the most.
    ///   - onChange: Called when reading, which is paused, might go on; from any thread.
    init(highWater: Int, callMargin: Int = InboundGauge.callMargin, onChange: @escaping @Sendable () -> Void) {
        self.highWater = highWater
        self.callMargin = callMargin
        self.onChange = onChange
    }

    /// How many bytes wait.
    var waitingBytes: Int { waiting.load(ordering: .relaxed) }

    /// Whether so little waits that reading need not pause, whoever waits for the broker.
    var hasDrained: Bool { waitingBytes <= highWater / 2 }

    func add(_ bytes: Int) { waiting.add(bytes, ordering: .relaxed) }

    /// Counts out bytes that a consumer took or dropped.
    func remove(_ bytes: Int) {
        let left = waiting.subtract(bytes, ordering: .sequentiallyConsistent).newValue
        if left <= highWater / 2, isPaused.load(ordering: .sequentiallyConsistent) { onChange() }
    }

    /// Somebody begins to wait for the broker.
    ///
    /// The margin counts from what waits now. From the mark it would be used up by those who waited before, and nobody
    /// would be answered any more. Answers come in the order of the calls, about, so that the last one counts.
    func callBegan() {
        let bytes = max(highWater, waiting.load(ordering: .relaxed))
        callMark.store(bytes + min(callMargin, .max - bytes), ordering: .relaxed)
        calls.add(1, ordering: .sequentiallyConsistent)
        if isPaused.load(ordering: .sequentiallyConsistent) { onChange() }
    }

    func callEnded() { calls.subtract(1, ordering: .relaxed) }

    /// Decides, on the queue, whether reading is to pause now.
    func decide() -> Bool {
        let paused = isPaused.load(ordering: .relaxed)
        if !paused, waiting.load(ordering: .relaxed) < highWater { return false }
        // Set first: whoever takes bytes out after this sees it and has the decision made again.
        isPaused.store(true, ordering: .sequentiallyConsistent)
        let bytes = waiting.load(ordering: .sequentiallyConsistent)
        let isFull = paused ? bytes > highWater / 2 : bytes >= highWater
        let isAwaited = calls.load(ordering: .sequentiallyConsistent) > 0
        let stays = isFull && !(isAwaited && bytes < callMark.load(ordering: .relaxed))
        if !stays { isPaused.store(false, ordering: .sequentiallyConsistent) }
        return stays
    }
}
