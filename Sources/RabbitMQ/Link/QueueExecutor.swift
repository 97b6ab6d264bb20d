internal import Dispatch
internal import Synchronization

/// Runs an actor's work on one serial DispatchQueue.
///
/// The queue has no target: queues that share a global queue may block only ten at a time, and connecting blocks.
final class QueueExecutor: SerialExecutor {
    let queue: DispatchQueue
    /// How much was given to the queue and is not done.
    private let pending = Atomic<Int>(0)

    init(label: String) {
        queue = DispatchQueue(label: label)
    }

    /// Has `work` run on the queue, after what was given to it before.
    func async(_ work: @escaping @Sendable () -> Void) {
        pending.add(1, ordering: .relaxed)
        queue.async { [self] in
            work()
            pending.subtract(1, ordering: .releasing)
        }
    }

    /// Runs `work` on this thread, as the queue's, if the queue has nothing to do. What only its timers run does not
    /// count: it is waited for.
    ///
    /// - Returns: Whether it did.
    func runIfIdle(_ work: () -> Void) -> Bool {
        guard pending.load(ordering: .acquiring) == 0 else { return false }
        queue.sync(execute: work)
        return true
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }

    func checkIsolated() {
        dispatchPrecondition(condition: .onQueue(queue))
    }
}
