internal import DequeModule

/// Runs what blocks on a few threads of its own, first come, first served: Dispatch has a limited number of threads for all
/// of the process, and whoever blocks many of them stops everything.
///
/// `@unchecked Sendable` is safe because all that changes is reached under the lock only.
final class BlockingPool: @unchecked Sendable {
    private let name: String
    private let most: Int
    private let linger: Duration
    private let monitor = Monitor()
    private var waiting: Deque<@Sendable () -> Void> = []
    private var threads = 0
    private var idle = 0

    /// - Parameters:
    ///   - name: The threads' name, at most 15 bytes.
    ///   - most: How many threads there may be. They are made on demand.
    ///   - linger: How long one that has nothing to do waits for something before it ends.
    init(_ name: String, most: Int, linger: Duration = .seconds(1)) {
        self.name = name
        self.most = most
        self.linger = linger
    }

    var threadCount: Int {
        monitor.enter()
        defer { monitor.leave() }
        return threads
    }

    /// Has `work` run when a thread is free.
    ///
    /// - Throws: `connectionFailed` if the system has no thread for it.
    func start(_ work: @escaping @Sendable () -> Void) throws(AMQPError) {
        try add(work)
        // Outside of the lock, which the thread would wait for at once.
        monitor.signal()
    }

    private func add(_ work: @escaping @Sendable () -> Void) throws(AMQPError) {
        monitor.enter()
        defer { monitor.leave() }
        if idle <= waiting.count, threads < most {
            do throws(AMQPError) {
                try LibraryThread.start(name) { self.run() }
                threads += 1
            } catch {
                // One that runs gets to it.
                guard threads > 0 else { throw error }
            }
        }
        waiting.append(work)
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
        monitor.enter()
        defer { monitor.leave() }
        if waiting.isEmpty {
            let end = MonotonicTime.now + linger.nanoseconds
            idle += 1
            while waiting.isEmpty, MonotonicTime.now < end { monitor.sleep(until: end) }
            idle -= 1
        }
        if waiting.isEmpty { threads -= 1 }
        return waiting.popFirst()
    }
}
