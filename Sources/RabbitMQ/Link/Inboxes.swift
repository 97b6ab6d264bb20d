/// Who receives the frames of a link's channels, by their numbers. A value.
struct Inboxes {
    private var inboxes: [(any ChannelInbox)?] = []
    /// The numbers of channels that have ended, for which frames may still come.
    private var formerNumbers: Set<UInt16> = []
    /// Channels that got something in the current batch.
    private(set) var touched: [UInt16] = []
    /// Channels that got something in the last batch in which any did.
    private var lastTouched: [UInt16] = []

    var all: [any ChannelInbox] { inboxes.compactMap { $0 } }

    @inline(__always)
    subscript(_ number: UInt16) -> (any ChannelInbox)? {
        let index = Int(number)
        return index < inboxes.count ? inboxes[index] : nil
    }

    /// Whether the number was another channel's before, whose last frames may still come.
    func wasTaken(_ number: UInt16) -> Bool { formerNumbers.contains(number) }

    mutating func add(_ inbox: any ChannelInbox, _ number: UInt16) {
        let index = Int(number)
        while inboxes.count <= index { inboxes.append(nil) }
        inboxes[index] = inbox
    }

    /// Forgets who received a channel's frames. Its number is free already, and may even be taken again: whoever took it
    /// is added after this.
    mutating func release(_ number: UInt16) {
        let index = Int(number)
        if index < inboxes.count { inboxes[index] = nil }
        formerNumbers.insert(number)
    }

    mutating func removeAll() -> [any ChannelInbox] {
        defer { (inboxes, touched) = ([], []) }
        return all
    }

    // MARK: Batches

    /// Notes that an inbox got something in the current batch, and is to be told of its end.
    @inline(__always)
    mutating func touch(_ inbox: any ChannelInbox, _ number: UInt16) {
        guard !inbox.isInBatch else { return }
        inbox.isInBatch = true
        touched.append(number)
    }

    /// How many consumers got something in the current batch.
    var recipients: Int {
        var recipients = 0
        for number in touched { recipients += self[number]?.recipients ?? 0 }
        return recipients
    }

    /// The batch is at its end.
    mutating func endBatch() {
        guard !touched.isEmpty else { return }
        swap(&touched, &lastTouched)
        touched.removeAll(keepingCapacity: true)
    }

    /// How many deliveries come at least before the broker waits for settlements, on any channel of the last batch.
    var credit: Int {
        var least = Int.max
        for number in lastTouched { least = min(least, self[number]?.credit ?? 0) }
        return least
    }
}
