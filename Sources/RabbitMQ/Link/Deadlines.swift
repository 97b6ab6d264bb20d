/// What must have happened by when. A value without a clock: times are given in nanoseconds of a monotonic clock.
struct Deadlines {
    struct Entry {
        let time: UInt64
        let expire: @Sendable () -> Void
    }

    private var entries: [UInt64: Entry] = [:]
    private var nextID: UInt64 = 0
    /// The time for which the timer is set, if it is.
    private(set) var armed: UInt64?

    var isEmpty: Bool { entries.isEmpty }

    /// Adds a deadline.
    ///
    /// - Returns: Its number, and the time to set the timer to if the timer would be late for it.
    mutating func add(at time: UInt64, expire: @escaping @Sendable () -> Void) -> (id: UInt64, arm: UInt64?) {
        nextID += 1
        entries[nextID] = Entry(time: time, expire: expire)
        if let armed, armed <= time { return (nextID, nil) }
        armed = time
        return (nextID, time)
    }

    mutating func remove(_ id: UInt64) {
        entries[id] = nil
    }

    /// Takes what is due, when a timer has fired. One that another was set before does nothing: else each of them would
    /// set the next one.
    ///
    /// - Parameters:
    ///   - now: The time.
    ///   - timer: The time for which the timer was set.
    /// - Returns: The due entries, earliest first, and the time to set the timer to, if any are left.
    mutating func takeDue(now: UInt64, setFor timer: UInt64) -> (due: [Entry], arm: UInt64?) {
        guard armed == timer else { return ([], nil) }
        let due = entries.filter { $0.value.time <= now }
        for id in due.keys { entries[id] = nil }
        armed = entries.values.lazy.map(\.time).min()
        return (due.values.sorted { $0.time < $1.time }, armed)
    }
}
