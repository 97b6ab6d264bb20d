internal import DequeModule

/// Entries by tags that rise, few and far between: found by bisection, and taken from the front. A value.
struct FarEntries<Entry: Equatable & Sendable>: Sendable {
    private var entries: Deque<(tag: UInt64, entry: Entry)> = []

    var isEmpty: Bool { entries.isEmpty }
    var firstTag: UInt64? { entries.first?.tag }
    var lastTag: UInt64? { entries.last?.tag }

    /// Appends an entry.
    ///
    /// - Returns: Whether its tag is higher than the last; else nothing happens.
    mutating func append(_ tag: UInt64, _ entry: Entry) -> Bool {
        if let lastTag, tag <= lastTag { return false }
        entries.append((tag, entry))
        return true
    }

    mutating func popFirst() -> (tag: UInt64, entry: Entry)? { entries.popFirst() }

    mutating func dropFirst(while fits: (Entry) -> Bool) {
        while let first = entries.first, fits(first.entry) { entries.removeFirst() }
    }

    /// The entry of a tag. Setting changes one that is there.
    subscript(tag: UInt64) -> Entry? {
        get { index(tag).map { entries[$0].entry } }
        set { if let newValue, let index = index(tag) { entries[index].entry = newValue } }
    }

    func firstTag(where fits: (Entry) -> Bool) -> UInt64? { entries.first { fits($0.entry) }?.tag }

    func tags(upTo last: UInt64) -> [UInt64] { entries.prefix { $0.tag <= last }.map(\.tag) }

    /// - Returns: How many there were.
    @discardableResult
    mutating func replace(_ old: Entry, by new: Entry) -> Int {
        var count = 0
        for index in entries.indices where entries[index].entry == old {
            entries[index].entry = new
            count += 1
        }
        return count
    }

    private func index(_ tag: UInt64) -> Int? {
        var (low, high) = (0, entries.count)
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].tag < tag { low = middle + 1 } else { high = middle }
        }
        return low < entries.count && entries[low].tag == tag ? low : nil
    }
}
