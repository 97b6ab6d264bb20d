internal import Synchronization

/// Who waits until a channel is at rest: until every delivery is settled, or every message confirmed that was published
/// before. A value.
///
/// Nobody does but while a connection is shut down, so that all that each settlement pays for it is a look whether it is empty.
struct RestWaiters: Sendable {
    enum Kind: Sendable {
        /// No delivery waits to be settled but these: whoever waits handles them.
        case settled(butFor: Set<UInt64>)
        /// No message waits to be confirmed of those up to this number: who publishes on and on would be waited for for ever.
        case confirmed(upTo: UInt64)
    }

    private var waiters: [(kind: Kind, waiter: OneShot<Void>)] = []

    var isAwaited: Bool { !waiters.isEmpty }

    mutating func join(_ kind: Kind) -> OneShot<Void> {
        let waiter = OneShot<Void>()
        waiters.append((kind, waiter))
        return waiter
    }

    /// Somebody waits no longer. Else a channel that comes to no rest kept all who ever gave up.
    mutating func leave(_ waiter: OneShot<Void>) { waiters.removeAll { $0.waiter === waiter } }

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
    /// Waits until every delivery is settled, or the channel has ended.
    ///
    /// - Parameter own: The tags of those that are not waited for.
    /// - Throws: `CancellationError`.
    func waitForSettlements(butFor own: Set<UInt64>) async throws {
        try await waitForRest { _ in .settled(butFor: own) }
    }

    /// Waits until every message is confirmed that was published so far, or the channel has ended.
    ///
    /// - Throws: `CancellationError`.
    func waitForConfirms() async throws {
        // They may stand behind deliveries for which reading is paused.
        link.gauge.callBegan()
        defer { link.gauge.callEnded() }
        try await waitForRest { .confirmed(upTo: $0.confirms?.last ?? 0) }
    }

    private func waitForRest(_ kind: (ChannelState) -> RestWaiters.Kind) async throws {
        let joined = state.withLock { state -> OneShot<Void>? in
            let kind = kind(state)
            return state.joinRest(kind)
        }
        guard let waiter = joined else { return }
        do {
            try await waiter.value()
        } catch is AMQPError {
            // Its end.
        } catch {
            state.withLock { $0.rest.leave(waiter) }
            throw error
        }
    }

    /// Tells those who wait for it if the channel has come to rest.
    func tellOfRest() {
        let waiters = state.withLock { state -> [OneShot<Void>] in
            guard state.rest.isAwaited else { return [] }
            // A copy: both would be used at once.
            var rest = state.rest
            defer { state.rest = rest }
            return rest.take { state.isAtRest($0) }
        }
        for waiter in waiters { waiter.succeed(()) }
    }
}
