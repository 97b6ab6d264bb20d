internal import Synchronization

/// Whether the broker has blocked the connection (connection.blocked), as it changes.
///
/// RabbitMQ: [Blocked connections](https://www.rabbitmq.com/docs/connection-blocked).
final class BlockingState: Sendable {
    private struct State {
        var reason: String?
        var observers: [UInt64: @Sendable (String?) -> Void] = [:]
        var nextID: UInt64 = 0
    }

    private let state = Mutex(State())

    var reason: String? { state.withLock { $0.reason } }

    func set(_ reason: String?) {
        let observers = state.withLock { state in
            state.reason = reason
            return Array(state.observers.values)
        }
        for observer in observers { observer(reason) }
    }

    func observe(_ observer: @escaping @Sendable (String?) -> Void) -> UInt64 {
        state.withLock { state in
            state.nextID += 1
            state.observers[state.nextID] = observer
            return state.nextID
        }
    }

    func remove(_ id: UInt64) {
        state.withLock { $0.observers[id] = nil }
    }
}
