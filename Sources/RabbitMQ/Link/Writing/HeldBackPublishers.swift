internal import DequeModule

/// Publishers that wait until there is room, first come, first served. A value.
struct HeldBackPublishers {
    struct Publisher {
        let size: Int
        let admission: OneShot<Void>
    }

    private var waiting: Deque<Publisher> = []
    /// How many at most of those who wait have given up since they were looked through.
    private var withdrawn = 0
    /// Bytes for which publishers were let through that have not appended them yet.
    private(set) var promised = 0

    var isEmpty: Bool { waiting.isEmpty }

    var count: Int { waiting.count }

    /// Has a publisher wait for room for this many bytes.
    mutating func hold(_ size: Int) -> OneShot<Void> {
        let admission = OneShot<Void>()
        waiting.append(Publisher(size: size, admission: admission))
        return admission
    }

    /// Takes back the promise of so many bytes: they were appended, or never will be.
    mutating func redeem(_ size: Int) { promised -= size }

    /// Lets publishers through.
    ///
    /// - Parameters:
    ///   - pending: How many bytes wait to be written.
    ///   - highWater: How many may, what is promised included; the last one let through may go beyond.
    /// - Returns: Those who are let through, or have given up: then what was promised to them is to be redeemed.
    mutating func admit(pending: Int, upTo highWater: Int) -> [Publisher] {
        var admitted: [Publisher] = []
        while pending + promised < highWater, let next = waiting.popFirst() {
            promised += next.size
            admitted.append(next)
        }
        return admitted
    }

    /// Says that one has given up, and forgets those who have, now and then: while nothing is let through, nobody else
    /// would.
    mutating func withdraw() {
        withdrawn += 1
        guard withdrawn > 64, withdrawn > waiting.count / 2 else { return }
        withdrawn = 0
        waiting.removeAll { $0.admission.isSettled }
    }

    /// Has nobody wait any more.
    mutating func removeAll() -> [Publisher] {
        defer { waiting = [] }
        // An array of an empty deque would be written to the empty array that all share, where the thread sanitizer sees it.
        return waiting.isEmpty ? [] : Array(waiting)
    }
}
