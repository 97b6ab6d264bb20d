/// Who publishes at the moment, so that one can wait for them and not for those who come later. A value.
struct ActivePublishers: Sendable {
    /// Names those who came before or after somebody began to wait.
    struct Ticket: Hashable, Sendable {
        fileprivate let round: UInt64
    }

    private var round: UInt64 = 0
    /// How many there are, by the round in which they came.
    private var counts: [UInt64: Int] = [:]
    private var waiters: [(round: UInt64, waiter: OneShot<Void>)] = []

    /// How many publish.
    var count: Int { counts.values.reduce(0, +) }

    /// Somebody begins to publish.
    mutating func enter() -> Ticket {
        counts[round, default: 0] += 1
        return Ticket(round: round)
    }

    /// Somebody has published.
    ///
    /// - Returns: Those who need not wait any more.
    mutating func leave(_ ticket: Ticket) -> [OneShot<Void>] {
        guard let count = counts[ticket.round] else { return [] }
        counts[ticket.round] = count > 1 ? count - 1 : nil
        guard count == 1, !waiters.isEmpty else { return [] }
        let oldest = counts.keys.min() ?? .max
        let done = waiters.filter { $0.round < oldest }
        waiters.removeAll { $0.round < oldest }
        return done.map(\.waiter)
    }

    /// Waits for all who publish now.
    ///
    /// - Returns: nil if there are none, or what to wait for.
    mutating func waitForAll() -> OneShot<Void>? {
        guard !counts.isEmpty else { return nil }
        waiters.removeAll { $0.waiter.isSettled }
        let waiter = OneShot<Void>()
        waiters.append((round, waiter))
        round += 1
        return waiter
    }
}
