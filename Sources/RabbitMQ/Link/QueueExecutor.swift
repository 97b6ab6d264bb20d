internal import Dispatch

/// Runs an actor's work on one serial DispatchQueue.
///
/// The queue has no target: queues that share a global queue may block only ten at a time, and connecting blocks.
final class QueueExecutor: SerialExecutor {
    let queue: DispatchQueue
    let linger = Linger()

    init(label: String) {
        queue = DispatchQueue(label: label)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        run { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }

    /// Has a block run, after what was given to the queue before.
    func run(_ block: @escaping @Sendable () -> Void) {
        linger.blockAdded()
        queue.async {
            self.linger.blockBegan()
            block()
        }
    }

    func checkIsolated() {
        dispatchPrecondition(condition: .onQueue(queue))
    }
}
