/// What sessions have come to.
struct FuzzTally: Sendable, CustomStringConvertible {
    var counts: [String: Int] = [:]
    var latest = Duration.zero
    var latestWhat = ""
    var failures: [String] = []

    mutating func count(_ what: String, _ number: Int = 1) { counts[what, default: 0] += number }

    mutating func late(_ what: String, by delay: Duration) {
        if delay > latest { (latest, latestWhat) = (delay, what) }
    }

    mutating func add(_ other: FuzzTally) {
        counts.merge(other.counts, uniquingKeysWith: +)
        late(other.latestWhat, by: other.latest)
    }

    var description: String {
        var lines = counts.sorted { $0.key < $1.key }.map { "  \($0.key): \($0.value)" }
        lines.append("  latest end of an await behind its deadline: \(latest / .seconds(1)) s (\(latestWhat))")
        return lines.joined(separator: "\n")
    }
}
