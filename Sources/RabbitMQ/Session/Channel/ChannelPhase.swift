/// Whether a channel is open, and why not. A value.
struct ChannelPhase: Sendable {
    private enum State {
        case open
        /// We have sent channel.close; everything but its answer is discarded.
        case closing(AMQPError)
        case closed(AMQPError)
    }

    private var state = State.open
    /// Whether we have sent channel.close, which is answered even if the peer has closed the channel meanwhile.
    private(set) var hasSentClose = false

    var isOpen: Bool { if case .open = state { true } else { false } }

    /// The reason why nothing can be sent any more, or nil. The first one counts.
    var closeReason: AMQPError? {
        switch state {
        case .open: nil
        case .closing(let error), .closed(let error): error
        }
    }

    /// Begins to close from our side.
    ///
    /// - Returns: Whether it was open.
    mutating func beginClosing(_ error: AMQPError) -> Bool {
        guard case .open = state else { return false }
        hasSentClose = true
        state = .closing(error)
        return true
    }

    /// Closes for good.
    ///
    /// - Returns: Whether it was not closed before.
    mutating func close(_ error: AMQPError) -> Bool {
        switch state {
        case .closed: return false
        case .closing(let reason): state = .closed(reason)
        case .open: state = .closed(error)
        }
        return true
    }
}
