#if Tool
internal import Dispatch
internal import Foundation
internal import Synchronization

/// What blocks, and can't be told to stop.
enum BlockingWork {
    /// Runs it on a thread of its own.
    ///
    /// - Returns: nil if it takes longer than `limit`, or this task is cancelled; it then goes on, and nobody waits.
    static func run<R: Sendable>(within limit: Duration, _ body: @escaping @Sendable () -> R) async -> R? {
        let end = End<R>()
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                end.wait(continuation)
                Thread.detachNewThread { end.come(body()) }
                DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(Int(limit / .milliseconds(1)))) {
                    end.come(nil)
                }
            }
        } onCancel: {
            end.come(nil)
        }
    }

    /// The first end counts.
    private final class End<R: Sendable>: Sendable {
        private enum State {
            case begun
            case awaited(CheckedContinuation<R?, Never>)
            case come
        }

        private let state = Mutex(State.begun)

        func wait(_ waiter: CheckedContinuation<R?, Never>) {
            let isOver = state.withLock { state in
                if case .come = state { return true }
                state = .awaited(waiter)
                return false
            }
            if isOver { waiter.resume(returning: nil) }
        }

        func come(_ result: R?) {
            let waiter = state.withLock { state -> CheckedContinuation<R?, Never>? in
                defer { state = .come }
                if case .awaited(let waiter) = state { return waiter }
                return nil
            }
            waiter?.resume(returning: result)
        }
    }
}
#endif
