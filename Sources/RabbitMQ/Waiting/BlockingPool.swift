internal import DequeModule

/// Runs what blocks on a few threads of its own, first come, first served: Dispatch has a limited number of threads for all
/// of the process, and whoever blocks many of them stops everything.
final class BlockingPool: Sendable {
    private struct State {
        var waiting: Deque<@Sendable () -> Void> = []
        var threads = 0
        var idle = 0
    }

    private let name: String
    private let most: Int
    private let linger: Duration
    private let state = Monitor(State())

    /// - Parameters:
    ///   - name: The threads' name, at most 15 bytes.
    ///   - most: How many threads there may be. They are made on demand.
    ///   - linger: How long one that has nothing to do waits for something before it ends.
    init(_ name: String, most: Int, linger: Duration = .seconds(1)) {
        self.name = name
        self.most = most
        self.linger = linger
    }

    var threadCount: Int { state.withLock { $0.threads } }

    /// Has `work` run when a thread is free.
    ///
    /// - Throws: `connectionFailed` if the system has no thread for it.
    func start(_ work: @escaping @Sendable () -> Void) throws(AMQPError) {
        try state.withLock { state throws(AMQPError) in
            if state.idle <= state.waiting.count, state.threads < most {
                do throws(AMQPError) {
                    try LibraryThread.start(name) { self.run() }
                    state.threads += 1
                } catch {
                    // One that runs gets to it.
                    guard state.threads > 0 else { throw error }
                }
            }
            state.waiting.append(work)
        }
        state.signal()
    }

    /// Runs `work` when a thread is free, and waits for what it gives. Whoever is cancelled before has it not run at all.
    func run<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async throws -> Value {
        let result = OneShot<Value>()
        try start { if !result.isSettled { result.succeed(work()) } }
        return try await result.value()
    }

    private func run() {
        while let work = nextWork() { work() }
    }

    /// Sleeps until there is something to do.
    ///
    /// - Returns: It; nil if the thread is to end. What it holds is the caller's to free, outside of the lock: what ends
    ///   then may have more to do for the pool.
    private func nextWork() -> (@Sendable () -> Void)? {
        let end = MonotonicTime.now + linger.nanoseconds
        var isIdle = false
        return state.wait { state in
            if state.waiting.isEmpty, MonotonicTime.now < end {
                if !isIdle { state.idle += 1 }
                isIdle = true
                return .sleep(until: end)
            }
            if isIdle { state.idle -= 1 }
            if state.waiting.isEmpty { state.threads -= 1 }
            return .done(state.waiting.popFirst())
        }
    }
}
