/// Consumers that are looked for later, of which none is kept alive. A value.
struct WeakConsumers: Sendable {
    private struct Entry: Sendable {
        weak var consumer: Consumer?
    }

    private var entries: [Entry] = []
    /// When to look for those that are not needed any more, so that each costs the same however many there are.
    private var nextSweep = 64

    var count: Int { entries.count }

    var all: [Consumer] { entries.compactMap { $0.consumer } }

    /// Adds one, and now and then forgets those of before that are not needed any more.
    ///
    /// - Returns: Those that it has looked at, to be let go of where the last use of one may end.
    @discardableResult
    mutating func add(_ consumer: Consumer, keeping isNeeded: (Consumer) -> Bool) -> [Consumer] {
        defer { entries.append(Entry(consumer: consumer)) }
        guard entries.count >= nextSweep else { return [] }
        let known = all
        entries = known.filter(isNeeded).map { Entry(consumer: $0) }
        nextSweep = max(64, 2 * entries.count)
        return known
    }
}
