/// What must have happened by when. A value without a clock: times are given in nanoseconds of a monotonic clock.
struct Deadlines {
    struct Entry {
        let time: UInt64
        let expire: @Sendable () -> Void
    }

    private var entries: [UInt64: Entry] = [:]
    private var nextID: UInt64 = 0
    /// The times for which the timer is set. One can't be taken back: it is remembered until it has fired.
    private var armed: Set<UInt64> = []

    var isEmpty: Bool { entries.isEmpty }

    /// Adds a deadline.
    ///
    /// - Returns: Its number, and the time to set the timer to if the timer would be late for it.
    mutating func add(at time: UInt64, expire: @escaping @Sendable () -> Void) -> (id: UInt64, arm: UInt64?) {
        nextID += 1
        entries[nextID] = Entry(time: time, expire: expire)
        return (nextID, arm(for: time))
    }

    mutating func remove(_ id: UInt64) {
        entries[id] = nil
    }

    /// Takes what is due, when a timer has fired.
    ///
    /// - Parameters:
    ///   - now: The time.
    ///   - timer: The time for which the timer was set.
    /// - Returns: The due entries, earliest first, and the time to set the timer to if it would be late for those left.
    mutating func takeDue(now: UInt64, setFor timer: UInt64) -> (due: [Entry], arm: UInt64?) {
        armed.remove(timer)
        let due = entries.filter { $0.value.time <= now }
        for id in due.keys { entries[id] = nil }
        let next = entries.values.lazy.map(\.time).min()
        return (due.values.sorted { $0.time < $1.time }, next.flatMap { arm(for: $0) })
    }

    /// - Returns: The time, if the timer has to be set to it.
    private mutating func arm(for time: UInt64) -> UInt64? {
        if let earliest = armed.min(), earliest <= time { return nil }
        armed.insert(time)
        return time
    }
}
