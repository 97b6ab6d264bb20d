/// Whether reading has paused, and whether that was said. A value without a clock.
///
/// A pause goes on while there is too much, though reading resumes now and then for the answer to a call. One that goes on
/// for a while is logged, and so is its end then.
struct PauseReport {
    private enum State {
        case none
        case unsaid(timer: UInt64)
        case said
    }

    enum Due {
        case nothing
        /// The pause is over.
        case forget
        /// Reading goes on for somebody: look again later.
        case wait
        case say
    }

    /// What is left of a pause that is over.
    enum Rest: Equatable {
        case nothing
        case timer(UInt64)
        /// It was logged, and its end is to be.
        case said
    }

    private var state = State.none

    /// Whether there is a pause.
    var isOpen: Bool { if case .none = state { false } else { true } }

    /// Whether there is one that nobody was told of.
    var isUnsaid: Bool { if case .unsaid = state { true } else { false } }

    /// A pause begins, or goes on; the timer says when it is to be told of.
    mutating func wait(for timer: UInt64) { state = .unsaid(timer: timer) }

    /// The timer's time has come.
    mutating func timeIsUp(hasDrained: Bool, isPaused: Bool) -> Due {
        guard isOpen else { return .nothing }
        if hasDrained { return .forget }
        guard isPaused else { return .wait }
        state = .said
        return .say
    }

    mutating func forget() -> Rest {
        defer { state = .none }
        return switch state {
        case .none: .nothing
        case .unsaid(let timer): .timer(timer)
        case .said: .said
        }
    }
}
