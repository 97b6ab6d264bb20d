/// When to wake the queue for a flush. A value.
///
/// The first bytes after a pause are flushed at once. While much is flowing, a flush for each few messages would cost
/// more than the messages: then the next one comes when a good batch has gathered, or after a moment.
struct FlushSchedule {
    private enum State {
        case idle
        case scheduled
        /// The last flush was a large one; a timer brings the next.
        case cooling
    }

    /// A flush of this many bytes or more is a large one.
    static let largeFlush = 16 * 1024

    /// The most bytes that wait for the timer.
    static let largestBatch = 512 * 1024

    /// How long what was put off waits at the most, in microseconds.
    static let coolingTime = 200

    enum Next {
        case flush, cool, rest
    }

    /// So many bytes are flushed without waiting for the timer.
    private let batch: Int
    private var state = State.idle
    private var hasUrgent = false
    /// Whether something was received since the last direct write.
    private var hasReceived = true

    /// - Parameter lowWater: Bytes waiting to be written below which held-back publishers go on: they are not to wait for
    ///   the timer.
    init(lowWater: Int) { batch = max(Self.largeFlush, min(Self.largestBatch, lowWater)) }

    /// Whether what was appended may be written at once by whoever appended it.
    @inline(__always)
    func mayWriteDirectly(pending: Int) -> Bool {
        hasReceived && state == .idle && pending <= Self.largeFlush
    }

    /// Notes that it is written so: the next has to wait until something was received.
    mutating func writeDirectly() { hasReceived = false }

    mutating func noteReceived() { hasReceived = true }

    /// Asks for a flush.
    ///
    /// - Parameters:
    ///   - pending: How many bytes wait.
    ///   - isUrgent: Whether somebody waits for the answer to what was appended.
    /// - Returns: Whether the queue is to be woken.
    @inline(__always)
    mutating func request(pending: Int, isUrgent: Bool) -> Bool {
        if isUrgent { hasUrgent = true }
        switch state {
        case .scheduled: return false
        case .idle: break
        case .cooling: guard isUrgent || pending >= batch else { return false }
        }
        state = .scheduled
        return true
    }

    /// Decides how a flush goes on.
    ///
    /// - Parameters:
    ///   - pending: How many bytes wait.
    ///   - count: How many it has written.
    mutating func next(pending: Int, wrote count: Int) -> Next {
        let isLarge = count >= Self.largeFlush
        guard pending > 0, !isLarge || hasUrgent || pending >= batch else {
            state = isLarge ? .cooling : .idle
            return isLarge ? .cool : .rest
        }
        hasUrgent = false
        state = .scheduled
        return .flush
    }
}
