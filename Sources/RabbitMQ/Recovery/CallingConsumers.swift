/// Consumers that have ended, while callbacks of them may run. Whoever runs these keeps them alive.
struct CallingConsumers: Sendable {
    private struct Entry: Sendable {
        weak var consumer: Consumer?
    }

    private var entries: [Entry] = []
    /// When to look for those whose callbacks have returned, so that each costs the same however many end together.
    private var nextSweep = 64

    var all: [Consumer] { entries.compactMap { $0.consumer } }

    /// - Returns: Those that it has looked at.
    mutating func add(_ consumer: Consumer) -> [Consumer] {
        defer { entries.append(Entry(consumer: consumer)) }
        guard entries.count >= nextSweep else { return [] }
        let known = all
        entries = known.filter { $0.callbacksReturned.current == nil }.map { Entry(consumer: $0) }
        nextSweep = max(64, 2 * entries.count)
        return known
    }
}
