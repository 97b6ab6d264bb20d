internal import DequeModule
internal import Synchronization

/// Hands what happens to a connection to whoever looks, each with the latest that it has not seen.
final class EventBroadcast: Sendable {
    private typealias Continuation = AsyncStream<ConnectionEvent>.Continuation

    private struct State {
        var continuations: [UInt64: Continuation] = [:]
        var nextID: UInt64 = 0
        /// What has happened and was not handed on yet.
        var noted: Deque<ConnectionEvent> = []
        /// Whether somebody hands it on: one at a time, so that it stays in order.
        var isDelivering = false
        var isOver = false
    }

    /// How many are kept for one that is slow.
    static let most = 64

    private let state = Mutex(State())

    /// How many look.
    var count: Int { state.withLock { $0.continuations.count } }

    /// Notes what has happened, behind what was noted before. It calls nobody, so that a lock may be held;
    /// ``deliver()`` is to be called without it.
    func note(_ event: ConnectionEvent) { state.withLock { $0.noted.append(event) } }

    func send(_ event: ConnectionEvent) {
        note(event)
        deliver()
    }

    /// Nothing happens any more.
    func finish() {
        state.withLock { $0.isOver = true }
        deliver()
    }

    /// Hands on what was noted, unless somebody does, who hands on this too.
    func deliver() {
        var isOurs = false
        while true {
            let next = state.withLock { state -> (ConnectionEvent?, [Continuation])? in
                guard isOurs || !state.isDelivering else { return nil }
                let continuations = Array(state.continuations.values)
                state.isDelivering = !state.noted.isEmpty
                if let event = state.noted.popFirst() { return (event, continuations) }
                guard state.isOver else { return nil }
                state.continuations = [:]
                return (nil, continuations)
            }
            guard let (happened, continuations) = next else { return }
            isOurs = true
            guard let event = happened else {
                for continuation in continuations { continuation.finish() }
                return
            }
            for continuation in continuations { continuation.yield(event) }
        }
    }

    func subscribe() -> AsyncStream<ConnectionEvent> {
        let (stream, continuation) = AsyncStream<ConnectionEvent>.makeStream(
            bufferingPolicy: .bufferingNewest(Self.most)
        )
        let id = state.withLock { state -> UInt64? in
            guard !state.isOver else { return nil }
            state.nextID += 1
            state.continuations[state.nextID] = continuation
            return state.nextID
        }
        guard let id else {
            continuation.finish()
            return stream
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { _ = $0.continuations.removeValue(forKey: id) }
        }
        return stream
    }
}
