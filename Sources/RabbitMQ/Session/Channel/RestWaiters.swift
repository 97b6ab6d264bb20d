internal import Synchronization

/// Who waits until a channel is at rest: until every delivery is settled, or every message confirmed. A value.
///
/// Nobody does but while a connection is shut down, so that all that each settlement pays for it is a look whether it is empty.
struct RestWaiters: Sendable {
    enum Kind: Sendable {
        /// No delivery waits to be settled.
        case settled
        /// No message waits to be confirmed.
        case confirmed
    }

    private var waiters: [(kind: Kind, waiter: OneShot<Void>)] = []

    var isAwaited: Bool { !waiters.isEmpty }

    mutating func join(_ kind: Kind) -> OneShot<Void> {
        let waiter = OneShot<Void>()
        waiters.append((kind, waiter))
        return waiter
    }

    /// Takes out those whose kind is at rest.
    mutating func take(_ isAtRest: (Kind) -> Bool) -> [OneShot<Void>] {
        let taken = waiters.filter { isAtRest($0.kind) }.map(\.waiter)
        waiters.removeAll { isAtRest($0.kind) }
        return taken
    }

    mutating func takeAll() -> [OneShot<Void>] {
        defer { waiters = [] }
        return waiters.map(\.waiter)
    }
}

extension ChannelSession {
    /// Waits until nothing of a kind waits any more, or the channel has ended.
    ///
    /// - Throws: `CancellationError`.
    func waitForRest(_ kind: RestWaiters.Kind) async throws {
        guard let waiter = state.withLock({ $0.joinRest(kind) }) else { return }
        do {
            try await waiter.value()
        } catch is AMQPError {
            // Its end.
        }
    }

    /// Tells those who wait for it if the channel has come to rest.
    func tellOfRest() {
        let waiters = state.withLock { state -> [OneShot<Void>] in
            guard state.rest.isAwaited else { return [] }
            let (settled, confirmed) = (state.isAtRest(.settled), state.isAtRest(.confirmed))
            return state.rest.take { $0 == .settled ? settled : confirmed }
        }
        for waiter in waiters { waiter.succeed(()) }
    }
}
