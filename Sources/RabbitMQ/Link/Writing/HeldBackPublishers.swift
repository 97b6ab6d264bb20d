/// Publishers that wait until there is room, first come, first served. A value.
struct HeldBackPublishers {
    /// One that waits for room for so many bytes.
    typealias Publisher = WaitingLine<Int>.Waiter

    private var line = WaitingLine<Int>()
    /// Bytes for which publishers were let through that have not appended them yet.
    private(set) var promised = 0

    var isEmpty: Bool { line.isEmpty }

    var count: Int { line.count }

    /// Has a publisher wait for room for this many bytes.
    mutating func hold(_ size: Int) -> OneShot<Void> { line.join(size) }

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
        while pending + promised < highWater, let next = line.takeFirst() {
            promised += next.wish
            admitted.append(next)
        }
        return admitted
    }

    /// Says that one has given up. While nothing is let through, nobody else would take it out of the line.
    mutating func withdraw() { line.leave() }

    /// Has nobody wait any more.
    mutating func removeAll() -> [Publisher] { line.takeAll() }
}
