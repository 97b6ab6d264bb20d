internal import Foundation

/// How resident memory goes on: the straight line that is nearest to what was measured, in least squares.
struct SoakTrend: Sendable {
    /// Until then, what is made once is still being made: pools, caches, the arenas of the allocator.
    static let firstMinute = 10

    /// By how many megabytes a minute memory may grow.
    static let steepest = 0.1

    /// So many measurements say something about that: of fewer, what an outage takes and gives back is most.
    static let enough = 20

    private var points: [(minute: Double, megabytes: Double)] = []

    /// Notes what was measured at the end of a minute, unless that is an early one.
    mutating func add(bytes: Int, at minute: Int) {
        guard minute >= Self.firstMinute else { return }
        points.append((minute: Double(minute), megabytes: Double(bytes) / 1_048_576))
    }

    /// By how many megabytes a minute it grows; nil before there are three measurements: any two are on a line.
    var slope: Double? {
        guard points.count > 2 else { return nil }
        let count = Double(points.count)
        let middle = points.reduce(0) { $0 + $1.minute } / count
        let mean = points.reduce(0) { $0 + $1.megabytes } / count
        let spread = points.reduce(0) { $0 + ($1.minute - middle) * ($1.minute - middle) }
        return points.reduce(0) { $0 + ($1.minute - middle) * ($1.megabytes - mean) } / spread
    }

    /// Whether it grows for certain.
    var isTooSteep: Bool { points.count >= Self.enough && (slope ?? 0) >= Self.steepest }

    var description: String {
        guard let slope else { return "memory's slope unknown: it is taken from minute \(Self.firstMinute) on" }
        let figure = String(format: "memory's slope %.3f MB/min after minute \(Self.firstMinute)", slope)
        return points.count < Self.enough ? figure + ", of too few minutes to judge" : figure
    }
}
