internal import Synchronization

/// Runs `body`, and fails if it takes longer than `limit`: the await that never ends is what is tested for.
///
/// A body that doesn't end, cancelled or not, is left behind.
public func within<R: Sendable>(
    _ limit: Duration,
    _ what: String,
    _ body: @escaping @Sendable () async throws -> R
) async throws -> R {
    let race = Race<R>()
    let work = Task {
        do {
            race.finish(.success(try await body()))
        } catch {
            race.finish(.failure(error))
        }
    }
    let clock = Task {
        try await Task.sleep(for: limit)
        race.finish(.failure(ConditionTimeout(what: what)))
    }
    defer {
        work.cancel()
        clock.cancel()
    }
    return try await withTaskCancellationHandler {
        try await withCheckedThrowingContinuation { race.wait($0) }
    } onCancel: {
        race.finish(.failure(CancellationError()))
    }
}

/// The first result counts.
private final class Race<R: Sendable>: Sendable {
    private struct State {
        var result: Result<R, any Error>?
        var waiter: CheckedContinuation<R, any Error>?
    }

    private let state = Mutex(State())

    func finish(_ result: Result<R, any Error>) {
        let waiter = state.withLock { state -> CheckedContinuation<R, any Error>? in
            guard state.result == nil else { return nil }
            state.result = result
            return state.waiter
        }
        waiter?.resume(with: result)
    }

    func wait(_ continuation: CheckedContinuation<R, any Error>) {
        let result = state.withLock { state in
            state.waiter = continuation
            return state.result
        }
        if let result { continuation.resume(with: result) }
    }
}
