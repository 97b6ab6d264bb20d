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

    /// Where an entry lies, or another one next. Not a dictionary: nearly each deadline is added and removed in vain, with every
    /// confirm that is awaited, under the one lock of the process, and to hash its number took longer than all the rest.
    private struct Slot {
        /// The number of the entry: the slot's index, and above it how often the slot was used, so that no number comes twice.
        var id: UInt64
        var entry: Entry?
    }

    private var slots: ContiguousArray<Slot> = []
    /// The indices of those without an entry.
    private var free: [Int] = []
    /// A heap: none is later than those at twice its index, plus 1 and plus 2.
    private var places: [Place] = []

    /// The part of a number that is a slot's index.
    private static let indexMask: UInt64 = 0xffff_ffff
    /// What tells a slot's next number from the one before.
    private static let nextUse: UInt64 = 0x1_0000_0000

    private var count: Int { slots.count - free.count }

    var isEmpty: Bool { count == 0 }

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
        let id = put(Entry(time: time, period: period, expire: expire))
        places.append(Place(time: time, id: id))
        siftUp()
        return (id, places[0].id == id)
    }

    /// Removes one. Mostly they are removed long before their time.
    ///
    /// - Returns: It, if it was there: what it holds is the caller's to free.
    mutating func remove(_ id: UInt64) -> Entry? {
        guard let entry = take(id) else { return nil }
        if places.count > 2 * count + 64 {
            let slots = slots
            places.removeAll { !Self.holds(slots, $0.id) }
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
            guard Self.holds(slots, first.id) else {
                removeFirst()
                continue
            }
            guard first.time <= now else { break }
            removeFirst()
            if let entry = take(first.id) { due.append(entry) }
        }
        return (due, places.first?.time)
    }

    // MARK: The slots

    /// Whether an entry was not taken.
    private static func holds(_ slots: ContiguousArray<Slot>, _ id: UInt64) -> Bool {
        let index = Int(id & indexMask)
        return index < slots.count && slots[index].id == id
    }

    /// - Returns: The entry's number.
    private mutating func put(_ entry: Entry) -> UInt64 {
        guard let index = free.popLast() else {
            let id = UInt64(slots.count)
            slots.append(Slot(id: id, entry: entry))
            return id
        }
        slots[index].entry = entry
        return slots[index].id
    }

    private mutating func take(_ id: UInt64) -> Entry? {
        guard Self.holds(slots, id) else { return nil }
        let index = Int(id & Self.indexMask)
        let entry = slots[index].entry
        slots[index] = Slot(id: id &+ Self.nextUse, entry: nil)
        free.append(index)
        return entry
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
