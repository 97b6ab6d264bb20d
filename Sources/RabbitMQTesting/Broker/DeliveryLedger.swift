/// Deliveries of a channel that wait to be settled, by their tags.
struct DeliveryLedger {
    struct Entry {
        var queue: String
        /// Which queue of that name.
        var queueID: Int
        /// nil for what was asked for with basic.get.
        var consumer: String?
        /// Which consumer of that tag.
        var consumerID: Int?
        var message: StoredMessage
    }

    /// The tag of the first of `entries`.
    private var base: UInt64 = 1
    private var entries: [Entry?] = []
    private var head = 0
    private(set) var count = 0
    /// How many of them went to consumers.
    private(set) var consumedCount = 0

    /// The tag of the next delivery.
    private var nextTag: UInt64 { base + UInt64(entries.count) }

    /// - Parameter entry: What waits to be settled; nil for a delivery without acknowledgement.
    mutating func add(_ entry: Entry?) -> UInt64 {
        let tag = nextTag
        entries.append(entry)
        if let entry {
            count += 1
            if entry.consumer != nil { consumedCount += 1 }
        }
        trim()
        return tag
    }

    /// Takes one delivery, or all up to it, which has to wait itself.
    ///
    /// - Returns: In the order of their tags; none if the tag is not one that waits.
    mutating func take(_ tag: UInt64, multiple: Bool) -> [(tag: UInt64, entry: Entry)] {
        if multiple, tag == 0 { return takeAll() }
        guard tag >= base, tag < nextTag else { return [] }
        let last = Int(tag - base)
        guard last >= head, entries[last] != nil else { return [] }
        defer { trim() }
        if !multiple { return take(at: last).map { [$0] } ?? [] }
        return (head...last).compactMap { take(at: $0) }
    }

    mutating func takeAll() -> [(tag: UInt64, entry: Entry)] {
        defer { trim() }
        return (head..<entries.count).compactMap { take(at: $0) }
    }

    /// The queue that a delivery came from; nil if it does not wait to be settled.
    func queue(of tag: UInt64) -> String? {
        guard tag >= base, tag < nextTag else { return nil }
        return entries[Int(tag - base)]?.queue
    }

    private mutating func take(at index: Int) -> (tag: UInt64, entry: Entry)? {
        guard let entry = entries[index] else { return nil }
        entries[index] = nil
        count -= 1
        if entry.consumer != nil { consumedCount -= 1 }
        return (base + UInt64(index), entry)
    }

    private mutating func trim() {
        while head < entries.count, entries[head] == nil { head += 1 }
        if head > 64, head * 2 > entries.count {
            entries.removeFirst(head)
            base += UInt64(head)
            head = 0
        }
    }

    /// What waits, in the order of the tags.
    var all: [Entry] { entries[head...].compactMap { $0 } }
}
