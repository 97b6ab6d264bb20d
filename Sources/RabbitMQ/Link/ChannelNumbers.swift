internal import DequeModule

/// Which channel numbers are in use. The lowest free one is the next: brokers and rabbitmq-c keep memory for every
/// number that was ever used.
struct ChannelNumbers {
    private var isUsed: [Bool] = [true]
    private var lowestFree = 1
    /// Free numbers that are given last, the one that rests longest first.
    private var resting: Deque<UInt16> = []
    /// More than so many don't rest.
    private static let mostResting = 16
    /// The highest number, as agreed on with the broker.
    let max: UInt16

    init(max: UInt16) { self.max = max }

    /// Takes a number, or nil if all are in use.
    mutating func take() -> UInt16? {
        while lowestFree < isUsed.count, isUsed[lowestFree] { lowestFree += 1 }
        guard lowestFree <= Int(max) else { return resting.popFirst() }
        if lowestFree == isUsed.count { isUsed.append(false) }
        isUsed[lowestFree] = true
        defer { lowestFree += 1 }
        return UInt16(lowestFree)
    }

    /// Takes a number, a certain one if that was never used here; nil if all are in use.
    mutating func take(preferring number: UInt16) -> UInt16? {
        guard number > 0, number <= max, Int(number) >= isUsed.count else { return take() }
        while isUsed.count <= Int(number) { isUsed.append(false) }
        isUsed[Int(number)] = true
        return number
    }

    /// Gives a number back, once the broker has said that it is free.
    ///
    /// - Parameter rests: Whether others are to be given first: what comes late for it could be mistaken.
    mutating func release(_ number: UInt16, rests: Bool = false) {
        guard number > 0, Int(number) < isUsed.count, isUsed[Int(number)] else { return }
        guard rests else { return free(number) }
        resting.append(number)
        if resting.count > Self.mostResting, let longest = resting.popFirst() { free(longest) }
    }

    private mutating func free(_ number: UInt16) {
        isUsed[Int(number)] = false
        lowestFree = Swift.min(lowestFree, Int(number))
    }
}
