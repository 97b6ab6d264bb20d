/// Who may end a channel's transaction, and what is kept back meanwhile. A value.
///
/// One call has the turn after the other: RabbitMQ closes the connection (504) if anything but channel.close comes before
/// it has answered a commit (`rabbit_channel:handle_method/3`).
struct TransactionGate: Sendable {
    private enum Turn {
        case free
        /// A call is about to be sent.
        case taken
        /// A commit has been sent, and is not answered.
        case committing
    }

    private var turn = Turn.free
    /// Calls that wait for their turn.
    private(set) var waiting = WaitingLine<Void>()
    private var heldBack: [HeldBack] = []

    /// Whether nobody has the turn.
    var isFree: Bool { turn == .free }

    /// Whether a commit was sent that is not answered.
    var isCommitting: Bool { turn == .committing }

    // MARK: The turn

    /// Takes the turn.
    ///
    /// - Returns: nil, or what to wait for: then the turn is taken.
    mutating func take() -> OneShot<Void>? {
        guard isFree else { return waiting.join() }
        turn = .taken
        return nil
    }

    /// Says that one who waited for the turn has stopped, and was not given it.
    mutating func abandon() { waiting.leave() }

    /// Passes the turn on.
    ///
    /// - Returns: Who has it now; it must be passed on once more if that one has stopped waiting. nil if nobody has.
    mutating func pass() -> OneShot<Void>? {
        let next = waiting.popFirst()
        turn = next == nil ? .free : .taken
        return next
    }

    /// Has nobody wait any more.
    mutating func endWaits() -> [OneShot<Void>] { waiting.removeAll() }

    // MARK: A commit

    /// A commit is sent.
    mutating func commit() { turn = .committing }

    /// Keeps what would be sent now until the commit is answered, if one is not.
    ///
    /// - Returns: Whether it did.
    mutating func holdBack(_ item: HeldBack) -> Bool {
        // channel.flow-ok is for other brokers: RabbitMQ never asks for it.
        if case .method(.channelFlowOk) = item { return false }
        if isCommitting { heldBack.append(item) }
        return isCommitting
    }

    /// Ends the commit that the broker has answered. Its turn is to be passed on when what is held back was written.
    ///
    /// - Returns: What to write behind the acknowledgements.
    mutating func endCommit() -> [HeldBack] {
        turn = .taken
        return dropHeldBack()
    }

    /// Nothing of what is held back will be written by this.
    @discardableResult
    mutating func dropHeldBack() -> [HeldBack] {
        defer { heldBack = [] }
        return heldBack
    }
}
