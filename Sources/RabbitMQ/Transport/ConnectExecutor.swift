internal import Dispatch

/// Where connecting is done: on a few threads of its own, as long as there is no connection.
///
/// On Swift's own, or Dispatch's, hundreds that connect at the same time would stand before everybody else with the
/// arithmetic of TLS.
final class ConnectExecutor: TaskExecutor {
    static let shared = ConnectExecutor()

    private let pool = BlockingPool("rabbitmq.dial", most: 4)

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let run: @Sendable () -> Void = { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
        do {
            try pool.start(run)
        } catch {
            // It goes on where there are threads.
            DispatchQueue.global().async(execute: run)
        }
    }
}
