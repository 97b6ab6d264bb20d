#if Tool
/// What a run was like from second to second. Of a long one, points become wider, not more.
struct Timeline {
    /// What happened since the point before.
    struct Point: Encodable {
        /// When it ends, since the beginning.
        var seconds: Double
        var published: Int
        var received: Int
        /// Published and not received, at most.
        var waiting: Int
        /// Of what was received then; 0 if that was nothing.
        var p50Us: Double
        var p99Us: Double

        /// Both together; of percentiles, what is closest without all values.
        func joined(with next: Point) -> Point {
            let count = max(1, received + next.received)
            return Point(
                seconds: next.seconds,
                published: published + next.published,
                received: received + next.received,
                waiting: max(waiting, next.waiting),
                p50Us: (p50Us * Double(received) + next.p50Us * Double(next.received)) / Double(count),
                p99Us: max(p99Us, next.p99Us)
            )
        }
    }

    /// As many as a chart can show; an even number.
    private static let most = 600

    private(set) var points: [Point] = []
    /// How many samples make a point, and how many the last one has.
    private var samplesEach = 1
    private var samplesInLast = 1

    /// Adds what happened since the last sample.
    mutating func add(_ sample: Point) {
        if samplesInLast < samplesEach, let last = points.popLast() {
            points.append(last.joined(with: sample))
            samplesInLast += 1
        } else {
            points.append(sample)
            samplesInLast = 1
        }
        guard points.count == Self.most, samplesInLast == samplesEach else { return }
        points = stride(from: 0, to: points.count, by: 2).map { points[$0].joined(with: points[$0 + 1]) }
        samplesEach *= 2
        samplesInLast = samplesEach
    }
}
#endif
