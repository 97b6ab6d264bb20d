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
        let waiter = OneShot<Value>()
        let (value, id) = state.withLock { state -> (Value?, UInt64) in
            if let value = state.value { return (value, 0) }
            state.nextID += 1
            state.waiters[state.nextID] = waiter
            return (nil, state.nextID)
        }
        if let value { return value }
        defer { state.withLock { $0.waiters[id] = nil } }
        return try await waiter.value()
    }
}
