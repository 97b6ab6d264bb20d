internal import Synchronization

/// A value that is set once and that any number of tasks may wait for.
final class Broadcast<Value: Sendable>: Sendable {
    private struct State {
        var value: Value?
        var waiters: [UInt64: OneShot<Value>] = [:]
        var nextID: UInt64 = 0
    }

    private let state = Mutex(State())

    /// The value, once there is one.
    var current: Value? { state.withLock { $0.value } }

    /// Whether somebody waits for the value.
    var isAwaited: Bool { state.withLock { !$0.waiters.isEmpty } }

    /// Sets the value and wakes every waiter.
    ///
    /// - Returns: Whether this was the first value; later ones are ignored.
    @discardableResult
    func set(_ value: Value) -> Bool {
        let waiters = state.withLock { state -> [UInt64: OneShot<Value>]? in
            guard state.value == nil else { return nil }
            state.value = value
            defer { state.waiters = [:] }
            return state.waiters
        }
        guard let waiters else { return false }
        for waiter in waiters.values { waiter.succeed(value) }
        return true
    }

    /// Waits for the value.
    ///
    /// - Throws: `CancellationError`; the value itself and other waiters are not affected by it.
    func wait() async throws -> Value {
        switch join() {
        case .value(let value): return value
        case .waiter(let id, let waiter):
            defer { leave(id) }
            return try await waiter.value()
        }
    }

    /// Waits for the value, as long as `duration`.
    ///
    /// - Returns: The value; nil if it has not come by then.
    /// - Throws: `CancellationError`.
    func wait(upTo duration: Duration) async throws -> Value? {
        switch join() {
        case .value(let value): return value
        case .waiter(let id, let waiter):
            defer { leave(id) }
            do {
                return try await withDeadline(after: duration) {
                    waiter.fail(AMQPError(.timedOut, "nothing came within \(duration)"))
                } _: {
                    try await waiter.value()
                }
            } catch is AMQPError {
                return nil
            }
        }
    }

    /// Waits for the value, also in a task that is cancelled: for what has to be done before it goes on.
    ///
    /// - Returns: The value; nil if it has not come after `duration`.
    func wait(atMost duration: Duration) async -> Value? {
        switch join() {
        case .value(let value): return value
        case .waiter(let id, let waiter):
            defer { leave(id) }
            return try? await withDeadline(after: duration) {
                waiter.fail(AMQPError(.timedOut, "nothing came within \(duration)"))
            } _: {
                try await waiter.valueThoughCancelled()
            }
        }
    }

    private enum Place {
        case value(Value)
        case waiter(UInt64, OneShot<Value>)
    }

    private func join() -> Place {
        state.withLock { state in
            if let value = state.value { return .value(value) }
            let waiter = OneShot<Value>()
            state.nextID += 1
            state.waiters[state.nextID] = waiter
            return .waiter(state.nextID, waiter)
        }
    }

    private func leave(_ id: UInt64) { state.withLock { $0.waiters[id] = nil } }
}
