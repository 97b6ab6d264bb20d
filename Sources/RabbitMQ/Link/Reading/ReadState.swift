/// What a link does about reading. A value without a clock or a socket: times are nanoseconds of a monotonic clock.
struct ReadState {
    /// Whether the queue will read in any case, so that nobody need ask the socket.
    private(set) var isScheduled = false
    /// Whether nothing is read for now, because too much waits for slow consumers.
    private(set) var isPaused = false
    /// Whether the next read waits for a moment, after which a timer brings it.
    private(set) var isPutOff = false
    /// Whether the peer was seen to have hung up while reading was paused: there is no pause any more then.
    private(set) var hasHungUp = false
    /// Whether frames were received that nobody has handled.
    var holdsFrames = false
    /// When last something came.
    private(set) var lastReceived: UInt64 = 0
    private var stage = Stage.goesOn
    /// Why the queue is about to end the link, if it is.
    private(set) var pendingEnd: AMQPError?

    /// Looked at with every frame: so it is without the reason, and beside the link's phase, either of which would be copied.
    private enum Stage {
        case goesOn
        /// The queue is about to end the link.
        case ends
        case over
    }

    /// What there is to do when it is to be read.
    enum Work {
        case nothing
        /// Only handle what was received before the pause: it may be the end.
        case handle
        case read
    }

    enum Change {
        case none, paused
        /// The queue is to read.
        case resumed
    }

    /// Takes in what the socket was found to be ready for.
    ///
    /// - Returns: Whether to read. Writing must not ask for what is about to be read.
    mutating func ready(_ events: SocketPoller.Events) -> Bool {
        // What a peer has sent that hung up is read, to find out why.
        if events.contains(.hungUp), isPaused { (hasHungUp, isPaused) = (true, false) }
        guard !events.isDisjoint(with: [.readable, .hungUp]) else { return false }
        isScheduled = true
        return true
    }

    /// The queue reads next.
    mutating func schedule() { isScheduled = true }

    mutating func takeWork() -> Work {
        isScheduled = false
        if isOver { return .nothing }
        return !isPaused ? .read : holdsFrames ? .handle : .nothing
    }

    /// Something came, or could have come for the first time in a while.
    @inline(__always)
    mutating func heard(at time: UInt64) { lastReceived = time }

    /// Pauses or resumes.
    ///
    /// - Parameter isTooMuch: Whether too much waits. What a peer left that hung up is no more than the socket holds.
    mutating func pause(if isTooMuch: Bool) -> Change {
        let pauses = isTooMuch && !hasHungUp
        guard pauses != isPaused else { return .none }
        isPaused = pauses
        return pauses ? .paused : .resumed
    }

    /// Has the next read wait for whoever brings it, unless there is something to read or to handle in any case.
    ///
    /// - Returns: Whether it waits from now on: then ``readOn()`` is to be called, or nothing is read any more.
    mutating func putOff() -> Bool {
        guard stage == .goesOn, !isPutOff, !isPaused, !isScheduled, !holdsFrames else { return false }
        isPutOff = true
        return true
    }

    /// The read waits no longer.
    mutating func readOn() { isPutOff = false }

    /// The queue will end the link: nothing is read until then, and another end has this reason.
    mutating func end(soon error: AMQPError) {
        isScheduled = true
        if stage == .goesOn { (stage, pendingEnd) = (.ends, error) }
    }

    /// The link ends: set with its phase.
    mutating func endNow() { (stage, pendingEnd) = (.over, nil) }

    /// Whether nothing is handled any more.
    @inline(__always)
    var isOver: Bool { stage == .over }

    /// What the socket is to tell.
    var wanted: SocketPoller.Events { isPaused ? .hungUp : isScheduled || isPutOff ? [] : .readable }

    /// Whether so little happens, after a read that brought so many bytes, that what comes next is best read where it is
    /// noticed.
    func isQuiet(after count: Int) -> Bool { count <= ReadingThread.little && !isPaused && !isScheduled }
}

/// What a socket's watch is armed for. A value.
struct SocketInterest {
    private(set) var armed: SocketPoller.Events = []

    /// The watch has told of something, and is armed no more.
    mutating func fired() { armed = [] }

    /// Notes what is wanted.
    ///
    /// - Returns: Whether the watch is to be armed for it. It may stay armed for more.
    mutating func arm(for wanted: SocketPoller.Events) -> Bool {
        guard !armed.isSuperset(of: wanted) else { return false }
        armed = wanted
        return true
    }
}
