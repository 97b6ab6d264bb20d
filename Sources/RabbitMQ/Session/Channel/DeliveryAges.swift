internal import DequeModule

/// How old deliveries are, told from looking now and then at how many have come, so that a delivery costs nothing.
///
/// A value without a clock: times are given in nanoseconds of a monotonic clock.
struct DeliveryAges {
    /// All tags below `end` had come by `time`.
    private struct Mark {
        let time: UInt64
        let end: UInt64
    }

    private var marks: Deque<Mark> = []
    private static let mostMarks = 64

    /// Notes which tags have come.
    ///
    /// - Parameters:
    ///   - end: The tag behind the last that has come.
    ///   - oldest: The first tag that is not settled, if there is one. Only its age is of interest, and that of later ones.
    ///   - now: The time.
    /// - Returns: How old the oldest is at least; up to the time between two looks older. nil if there is none.
    mutating func look(end: UInt64, oldest: UInt64?, now: UInt64) -> UInt64? {
        if marks.last.map({ $0.end < end }) ?? true { marks.append(Mark(time: now, end: end)) }
        guard let oldest else {
            marks.removeFirst(marks.count - 1)
            return nil
        }
        while let first = marks.first, first.end <= oldest { marks.removeFirst() }
        // What is merged with the mark behind it counts as younger than it is.
        if marks.count > Self.mostMarks { marks.remove(at: marks.count - 2) }
        return marks.first.map { now >= $0.time ? now - $0.time : 0 }
    }
}
