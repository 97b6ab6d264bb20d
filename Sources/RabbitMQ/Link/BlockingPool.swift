internal import DequeModule
internal import Synchronization

/// Runs what blocks on a few threads of its own, first come, first served: Dispatch has a limited number of threads for all
/// of the process, and whoever blocks many of them stops everything.
final class BlockingPool: Sendable {
    private struct State {
        var waiting: Deque<@Sendable () -> Void> = []
        var threads = 0
    }

    private let name: String
    private let most: Int
    private let state = Mutex(State())

    /// - Parameters:
    ///   - name: The threads' name, at most 15 bytes.
    ///   - most: How many threads there may be. There are none while there is nothing to do.
    init(_ name: String, most: Int) {
        self.name = name
        self.most = most
    }

    var threadCount: Int { state.withLock { $0.threads } }

    /// Has `work` run when a thread is free.
    ///
    /// - Throws: `connectionFailed` if the system has no thread for it.
    func start(_ work: @escaping @Sendable () -> Void) throws(AMQPError) {
        try state.withLock { state throws(AMQPError) in
            if state.threads < most {
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
    }

    /// Runs `work` when a thread is free, and waits for what it gives. Whoever is cancelled before has it not run at all.
    func run<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async throws -> Value {
        let result = OneShot<Value>()
        try start { if !result.isSettled { result.succeed(work()) } }
        return try await result.value()
    }

    private func run() {
        while let work = next() { work() }
    }

    private func next() -> (@Sendable () -> Void)? {
        state.withLock { state in
            let next = state.waiting.popFirst()
            if next == nil { state.threads -= 1 }
            return next
        }
    }
}
