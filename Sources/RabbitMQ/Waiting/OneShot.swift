internal import Synchronization

/// A result that one task waits for and any thread gives, once.
///
/// Whichever comes first of a result and the cancellation of the waiting task wins; the other is ignored.
final class OneShot<Value: Sendable>: Sendable {
    private enum State {
        case empty
        /// Resumed once: it is left with the state, under the lock. A checked one would be an allocation a wait.
        case waiting(UnsafeContinuation<Value, any Error>)
        case done(Result<Value, any Error>)
    }

    private let state = Mutex<State>(.empty)

    /// Whether there is a result.
    var isSettled: Bool {
        state.withLock { if case .done = $0 { true } else { false } }
    }

    /// Gives the result.
    ///
    /// - Returns: Whether this call settled it. `false` means that nobody will see this result.
    @discardableResult
    func resolve(_ result: Result<Value, any Error>) -> Bool {
        let (won, continuation) = state.withLock { state -> (Bool, UnsafeContinuation<Value, any Error>?) in
            switch state {
            case .empty:
                state = .done(result)
                return (true, nil)
            case .waiting(let continuation):
                state = .done(result)
                return (true, continuation)
            case .done:
                return (false, nil)
            }
        }
        continuation?.resume(with: result)
        return won
    }

    @discardableResult
    func succeed(_ value: Value) -> Bool { resolve(.success(value)) }

    @discardableResult
    func fail(_ error: any Error) -> Bool { resolve(.failure(error)) }

    /// Waits for the result. Called by one task.
    ///
    /// - Throws: What was given to ``fail(_:)``, or `CancellationError`.
    func value() async throws -> Value {
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { wait($0) }
        } onCancel: {
            fail(CancellationError())
        }
    }

    /// Waits for the result, also in a task that is cancelled: something else must be sure to settle it. Called by one
    /// task.
    ///
    /// - Throws: What was given to ``fail(_:)``.
    func valueThoughCancelled() async throws -> Value {
        try await withUnsafeThrowingContinuation { wait($0) }
    }

    @inline(__always)
    private func wait(_ continuation: UnsafeContinuation<Value, any Error>) {
        let result = state.withLock { state -> Result<Value, any Error>? in
            switch state {
            case .empty:
                state = .waiting(continuation)
                return nil
            case .done(let result):
                return result
            case .waiting:
                return .failure(AMQPError(.internalError, "two tasks wait for one result"))
            }
        }
        if let result { continuation.resume(with: result) }
    }
}
