/// What must have happened by when. A value without a clock: times are given in nanoseconds of a monotonic clock.
struct Deadlines {
    struct Entry {
        let time: UInt64
        /// How long after it another such is likely to be due; zero if none is.
        var period: UInt64 = 0
        let expire: @Sendable () -> Void
    }

    /// An entry's place in the order of times. It outlives an entry that is removed.
    private struct Place {
        let time: UInt64
        let id: UInt64
    }

    private var entries: [UInt64: Entry] = [:]
    private var nextID: UInt64 = 0
    /// A heap: none is later than those at twice its index, plus 1 and plus 2.
    private var places: [Place] = []

    var isEmpty: Bool { entries.isEmpty }

    /// How many places are kept, those of removed entries among them.
    var placeCount: Int { places.count }

    /// Adds a deadline.
    ///
    /// - Returns: Its number, and whether it is the earliest: whoever waits for one waits too long then.
    mutating func add(
        at time: UInt64,
        period: UInt64 = 0,
        expire: @escaping @Sendable () -> Void
    ) -> (id: UInt64, isEarliest: Bool) {
        nextID += 1
        entries[nextID] = Entry(time: time, period: period, expire: expire)
        places.append(Place(time: time, id: nextID))
        siftUp()
        return (nextID, places[0].id == nextID)
    }

    /// Removes one. Mostly they are removed long before their time.
    ///
    /// - Returns: It, if it was there: what it holds is the caller's to free.
    mutating func remove(_ id: UInt64) -> Entry? {
        guard let entry = entries.removeValue(forKey: id) else { return nil }
        if places.count > 2 * entries.count + 64 {
            places.removeAll { entries[$0.id] == nil }
            // An ordered array is a heap.
            places.sort { $0.time < $1.time }
        }
        return entry
    }

    /// Takes what is due.
    ///
    /// - Returns: The due entries, earliest first, and when to look again; nil if nothing is left.
    mutating func takeDue(now: UInt64) -> (due: [Entry], next: UInt64?) {
        var due: [Entry] = []
        while let first = places.first {
            guard let entry = entries[first.id] else {
                removeFirst()
                continue
            }
            guard entry.time <= now else { break }
            entries[first.id] = nil
            removeFirst()
            due.append(entry)
        }
        return (due, places.first?.time)
    }

    // MARK: The heap

    private mutating func siftUp() {
        var index = places.count - 1
        while index > 0, places[index].time < places[(index - 1) / 2].time {
            places.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    private mutating func removeFirst() {
        places.swapAt(0, places.count - 1)
        places.removeLast()
        var index = 0
        while true {
            var earliest = index
            for child in 2 * index + 1...2 * index + 2
            where child < places.count && places[child].time < places[earliest].time {
                earliest = child
            }
            guard earliest != index else { return }
            places.swapAt(index, earliest)
            index = earliest
        }
    }
}
