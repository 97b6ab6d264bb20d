internal import Synchronization

/// How many bytes of deliveries wait for consumers whose prefetch doesn't limit them, and whether to go on reading.
///
/// Above the mark reading pauses, so that the broker stops sending. A call that waits for its answer, which stands
/// behind those deliveries, lets reading go on up to a second mark.
final class InboundGauge: Sendable {
    private let waiting = Atomic<Int>(0)
    private let calls = Atomic<Int>(0)
    private let isPaused = Atomic<Bool>(false)
    let highWater: Int
    private let onChange: @Sendable () -> Void

    /// How far above the mark waiting calls may push. What an answer stands behind lies in sockets and in the broker
    /// already, a few MiB for each call, and has nothing to do with the mark.
    private static let callMargin = 64 << 20

    /// - Parameter onChange: Called when reading, which is paused, might go on; from any thread.
    init(highWater: Int, onChange: @escaping @Sendable () -> Void) {
        self.highWater = highWater
        self.onChange = onChange
    }

    /// How many bytes wait.
    var waitingBytes: Int { waiting.load(ordering: .relaxed) }

    private var callMark: Int { highWater + min(Self.callMargin, .max - highWater) }

    func add(_ bytes: Int) { waiting.add(bytes, ordering: .relaxed) }

    /// Counts out bytes that a consumer took or dropped.
    func remove(_ bytes: Int) {
        let left = waiting.subtract(bytes, ordering: .sequentiallyConsistent).newValue
        if left <= highWater / 2, isPaused.load(ordering: .sequentiallyConsistent) { onChange() }
    }

    func callBegan() {
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
        let limit = calls.load(ordering: .sequentiallyConsistent) > 0 ? callMark : highWater
        let stays = paused ? bytes > limit / 2 : bytes >= limit
        if !stays { isPaused.store(false, ordering: .sequentiallyConsistent) }
        return stays
    }
}
