internal import Synchronization

/// Hands what happens to a connection to whoever looks, each with the latest that it has not seen.
final class EventBroadcast: Sendable {
    private struct State {
        var continuations: [UInt64: AsyncStream<ConnectionEvent>.Continuation] = [:]
        var nextID: UInt64 = 0
        var isOver = false
    }

    /// How many are kept for one that is slow.
    static let most = 64

    private let state = Mutex(State())

    /// How many look.
    var count: Int { state.withLock { $0.continuations.count } }

    func send(_ event: ConnectionEvent) {
        let continuations = state.withLock { Array($0.continuations.values) }
        for continuation in continuations { continuation.yield(event) }
    }

    /// Nothing happens any more.
    func finish() {
        let continuations = state.withLock { state in
            state.isOver = true
            defer { state.continuations = [:] }
            return Array(state.continuations.values)
        }
        for continuation in continuations { continuation.finish() }
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
