/// Which channel numbers are in use. The lowest free one is the next: brokers and rabbitmq-c keep memory for every
/// number that was ever used.
struct ChannelNumbers {
    private var isUsed: [Bool] = [true]
    private var lowestFree = 1
    /// The highest number, as agreed on with the broker.
    let max: UInt16

    init(max: UInt16) { self.max = max }

    /// Takes a number, or nil if all are in use.
    mutating func take() -> UInt16? {
        while lowestFree < isUsed.count, isUsed[lowestFree] { lowestFree += 1 }
        guard lowestFree <= Int(max) else { return nil }
        if lowestFree == isUsed.count { isUsed.append(false) }
        isUsed[lowestFree] = true
        defer { lowestFree += 1 }
        return UInt16(lowestFree)
    }

    /// Gives a number back, once the broker has said that it is free.
    mutating func release(_ number: UInt16) {
        let index = Int(number)
        guard index > 0, index < isUsed.count else { return }
        isUsed[index] = false
        lowestFree = Swift.min(lowestFree, index)
    }
}
