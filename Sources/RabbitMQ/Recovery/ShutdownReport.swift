/// How a connection was shut down: see ``Connection/shutdown(within:)``.
public struct ShutdownReport: Sendable, Hashable {
    /// Deliveries that were not settled in time: the broker delivers them again, to whomever.
    public let unsettled: Int
    /// Messages whose outcome was not known in time: the broker may have them or not.
    public let unconfirmed: Int
    /// Whether there was no connection, or it was lost, or ended before the broker had answered. Acknowledgements that
    /// were just sent, and messages on channels that don't confirm, may be lost with it: nobody can count them.
    public let wasLost: Bool
    /// How long it took.
    public let duration: Duration

    /// Whether nothing was left, and the connection was not lost.
    public var isComplete: Bool { unsettled == 0 && unconfirmed == 0 && !wasLost }
}
