/// When, and by whom, what was appended is flushed. A value without a clock: times are nanoseconds of a monotonic clock.
///
/// What comes alone is flushed at once, by whoever appended it: to wake the queue for it costs more than to write it.
/// What comes close behind it the queue flushes, as more may come by then. While messages are flowing, a flush for each few
/// would cost more than they do: then the next one comes when a good batch has gathered, or after a moment.
struct FlushSchedule {
    private enum State {
        case idle
        /// Acknowledgements alone wait: for more of them, for whatever else is sent, or for a timer.
        case deferring
        case scheduled
        /// Messages are flowing; a timer brings the next flush.
        case cooling
    }

    /// Who is to flush.
    enum Flusher {
        /// Somebody does anyway, or will in a moment.
        case nobody
        case queue
        /// Whoever appended it, unless the queue is busy.
        case caller
    }

    /// A flush of this many bytes or more is a large one.
    static let largeFlush = 16 * 1024

    /// The most bytes that wait for the timer.
    static let largestBatch = 512 * 1024

    /// How long what was put off waits, in nanoseconds.
    static let coolingTime: UInt64 = 30_000

    /// How long it waits while a tight loop goes on: to wake the timer's thread oftener costs such a loop a fifth more
    /// (0.121 against 0.099 us a message, `rmq perf publish`).
    static let longCoolingTime: UInt64 = 200_000

    /// How long after a flush something comes that is taken to come alone, in nanoseconds: about what a write takes, so that
    /// who is wrong about what comes next has paid twice at the most.
    static let aloneAfter: UInt64 = 5_000

    /// How long after a flush something comes that is near it, in nanoseconds. Where all comes so, three or more messages
    /// gather until the timer comes, and to wake its thread costs less than to write each.
    static let nearAfter: UInt64 = 12_000

    /// So many times in a row something has to come near the last flush before that is taken to go on.
    static let mostNear = 8

    /// What flows brings the timer so many messages at least, or each had better been written by itself.
    static let leastGathered = 3

    /// So many times in a row the timer may find fewer.
    static let mostPoor = 4

    enum Next {
        case flush, cool, rest
        /// There is more, but not for whoever asks.
        case leave
    }

    /// So many bytes are flushed without waiting for the timer.
    private let batch: Int
    private var state = State.idle
    private var hasUrgent = false
    /// Whether what was flushed last came close behind the flush before it.
    private var isFlowing = false
    /// Whether something was received since a caller's last flush.
    private var hasReceived = true
    private var lastFlush: UInt64 = 0
    /// How many times in a row something came near the last flush, and how many times the timer found too little.
    private var near = 0
    private var poor = 0
    private var lastPublished = 0
    /// Since when acknowledgements wait.
    private var deferredSince: UInt64 = 0
    private var loop = TightLoop()
    /// How long to wait if it cools, in nanoseconds.
    private(set) var pause = coolingTime

    /// - Parameter lowWater: Bytes waiting to be written below which held-back publishers go on: they are not to wait for
    ///   the timer.
    init(lowWater: Int) { batch = max(Self.largeFlush, min(Self.largestBatch, lowWater)) }

    mutating func noteReceived() { hasReceived = true }

    /// Asks for a flush.
    ///
    /// - Parameters:
    ///   - pending: How many bytes wait.
    ///   - isUrgent: Whether somebody waits for the answer to what was appended.
    ///   - now: The time; asked for only where it matters.
    @inline(__always)
    mutating func request(pending: Int, isUrgent: Bool, now: () -> UInt64) -> Flusher {
        if isUrgent { hasUrgent = true }
        switch state {
        case .scheduled: return .nobody
        case .idle, .deferring:
            state = .scheduled
            return begin(pending: pending, isUrgent: isUrgent, now: now())
        case .cooling:
            guard isUrgent || pending >= batch else { return .nobody }
            state = .scheduled
            return .queue
        }
    }

    private mutating func begin(pending: Int, isUrgent: Bool, now: UInt64) -> Flusher {
        let pause = now &- lastFlush
        // Not where something was received since: whoever waits for an answer before the next message would wait for the
        // timer each time.
        near = pause < Self.nearAfter && !hasReceived ? near + 1 : 0
        let isClose = pause < Self.aloneAfter || near > Self.mostNear
        isFlowing = isClose && !isUrgent
        guard pending <= Self.largeFlush, !isClose || isUrgent && hasReceived else { return .queue }
        hasReceived = false
        return .caller
    }

    /// Takes in acknowledgements that may wait.
    ///
    /// - Parameter now: The time; asked for only where it matters.
    mutating func settle(now: () -> UInt64) {
        guard state == .idle else { return }
        state = .deferring
        deferredSince = now()
    }

    /// Asks for a flush of acknowledgements that waited.
    mutating func hurrySettlements() -> Flusher {
        guard state == .deferring else { return .nobody }
        state = .scheduled
        hasUrgent = true
        return .caller
    }

    /// What to do when the time is over that acknowledgements wait.
    enum Due {
        case flush
        /// They wait for less long.
        case later(UInt64)
        /// None wait.
        case never
    }

    /// - Returns: Whether to flush; then it is scheduled.
    mutating func due(after time: UInt64, now: UInt64) -> Due {
        guard state == .deferring else { return .never }
        guard now &- deferredSince >= time else { return .later(deferredSince + time) }
        state = .scheduled
        hasUrgent = true
        return .flush
    }

    /// Whether too few messages have gathered for some time. Then it is as if nothing had come near.
    private mutating func isPoor(_ count: Int, _ published: Int) -> Bool {
        let gathered = published &- lastPublished
        lastPublished = published
        // Acknowledgements and calls alone say nothing of what is published.
        guard gathered > 0 else { return false }
        guard isFlowing, count < Self.largeFlush, gathered < Self.leastGathered else {
            poor = 0
            return false
        }
        poor += 1
        guard poor > Self.mostPoor else { return false }
        (poor, near) = (0, 0)
        return true
    }

    /// Decides how a flush goes on.
    ///
    /// - Parameters:
    ///   - pending: How many bytes wait.
    ///   - count: How many it has written.
    ///   - most: How many whoever flushes writes at the most.
    ///   - published: How many messages there were so far.
    ///   - now: The time.
    mutating func next(pending: Int, wrote count: Int, most: Int, published: Int, now: UInt64) -> Next {
        lastFlush = now
        if count >= Self.largeFlush { isFlowing = true }
        // What the timer finds nothing of flows no more.
        if count == 0, pending == 0 { isFlowing = false }
        if count > 0, isPoor(count, published) { isFlowing = false }
        guard pending > 0, count == 0 || !isFlowing || hasUrgent || pending >= batch else {
            let isTight = loop.look(count: published, now: now)
            state = isFlowing ? .cooling : .idle
            pause = isTight ? Self.longCoolingTime : Self.coolingTime
            return isFlowing ? .cool : .rest
        }
        state = .scheduled
        if pending > most { return .leave }
        hasUrgent = false
        return .flush
    }
}
