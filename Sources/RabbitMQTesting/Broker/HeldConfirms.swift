/// Confirms of a channel that wait until a test lets them go.
struct HeldConfirms {
    struct Outcome: Equatable {
        var number: UInt64
        var isNack: Bool
    }

    private(set) var waiting: [Outcome] = []
    /// The number of the first message that never gets a confirm: one with `multiple` for a later one would mean it too.
    private(set) var firstIgnored = UInt64.max

    mutating func ignore(_ number: UInt64) { firstIgnored = min(firstIgnored, number) }

    mutating func hold(_ outcome: Outcome) { waiting.append(outcome) }

    /// Takes the oldest ones.
    mutating func take(_ count: Int) -> [Outcome] {
        let count = min(max(0, count), waiting.count)
        defer { waiting.removeFirst(count) }
        return Array(waiting.prefix(count))
    }
}
