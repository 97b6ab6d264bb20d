/// What a link does about writing. A value without a clock or a socket: times are nanoseconds of a monotonic clock.
struct WriteState {
    private enum Flight {
        case empty
        case filled
        /// The socket took only a part of it: nothing is written until it says that there is room.
        case stuck
    }

    private var flight = Flight.empty
    /// When last something was written.
    private(set) var lastSent: UInt64 = 0
    /// The timer that brings the next flush, while there is one.
    private(set) var coolingTimer: UInt64?

    /// Whether the buffer in flight is written, so that another may take its place.
    var isFlightEmpty: Bool { flight == .empty }

    var isAwaitingRoom: Bool { flight == .stuck }

    var isCooling: Bool { coolingTimer != nil }

    /// Whether something is being written, or will be in a moment.
    var isBusy: Bool { !isFlightEmpty || isCooling }

    /// What the socket is to tell.
    var wanted: SocketPoller.Events { isAwaitingRoom ? .writable : [] }

    /// A filled buffer takes the place of the empty one.
    mutating func fill() { flight = .filled }

    /// The socket was given what is in flight.
    mutating func wrote(all: Bool) { flight = all ? .empty : .stuck }

    mutating func sent(at time: UInt64) { lastSent = time }

    /// The socket has room again.
    ///
    /// - Returns: Whether the rest is to be written, which has waited for that.
    mutating func noteRoom() -> Bool {
        guard isAwaitingRoom else { return false }
        flight = .filled
        return true
    }

    /// The next flush comes by a timer.
    mutating func cool(until timer: UInt64) { coolingTimer = timer }

    mutating func cooled() { coolingTimer = nil }

    /// Nothing is written any more.
    ///
    /// - Returns: The timer that is not needed any more.
    mutating func end() -> UInt64? {
        defer { (flight, coolingTimer) = (.empty, nil) }
        return coolingTimer
    }
}
