internal import Synchronization

/// Those who are told when the broker blocks the connection (connection.blocked), and when it goes on. Whether it is blocked,
/// the outbox knows.
///
/// RabbitMQ: [Blocked connections](https://www.rabbitmq.com/docs/connection-blocked).
final class BlockingObservers: Sendable {
    /// Who is told.
    struct Observer: Sendable {
        let changed: @Sendable (String?) -> Void
        /// Nothing changes any more.
        let ended: @Sendable () -> Void
    }

    private struct State {
        var observers: [UInt64: Observer] = [:]
        var nextID: UInt64 = 0
        var isEnded = false
    }

    private let state = Mutex(State())

    var count: Int { state.withLock { $0.observers.count } }

    /// Tells them why the broker takes no messages now; nil if it takes them again.
    func tell(_ reason: String?) {
        let observers = state.withLock { Array($0.observers.values) }
        for observer in observers { observer.changed(reason) }
    }

    /// The connection has ended.
    func end() {
        let observers = state.withLock { state in
            state.isEnded = true
            defer { state.observers = [:] }
            return Array(state.observers.values)
        }
        for observer in observers { observer.ended() }
    }

    /// There is another connection after the one that has ended.
    func restart() { state.withLock { $0.isEnded = false } }

    /// Adds an observer.
    ///
    /// - Returns: Its number; nil after the end, of which it has been told then.
    func observe(_ observer: Observer) -> UInt64? {
        let id = state.withLock { state -> UInt64? in
            guard !state.isEnded else { return nil }
            state.nextID += 1
            state.observers[state.nextID] = observer
            return state.nextID
        }
        if id == nil { observer.ended() }
        return id
    }

    func remove(_ id: UInt64) {
        state.withLock { _ = $0.observers.removeValue(forKey: id) }
    }
}
