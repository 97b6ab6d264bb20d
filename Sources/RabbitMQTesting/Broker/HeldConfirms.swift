/// Confirms of a channel that wait until a test lets them go.
struct HeldConfirms {
    struct Outcome: Equatable {
        var number: UInt64
        var isNack: Bool
    }

    private(set) var waiting: [Outcome] = []

    mutating func hold(_ outcome: Outcome) { waiting.append(outcome) }

    /// Takes the oldest ones.
    mutating func take(_ count: Int) -> [Outcome] {
        let count = min(max(0, count), waiting.count)
        defer { waiting.removeFirst(count) }
        return Array(waiting.prefix(count))
    }
}
