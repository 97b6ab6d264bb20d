/// What happens to a connection.
public enum ConnectionEvent: Sendable {
    /// It was lost, and is made again.
    case lost(AMQPError)
    /// It is about to be tried, after a delay.
    case trying(attempt: Int, after: Duration)
    /// It is there again, after so long, with what the report says.
    case recovered(RecoveryReport, after: Duration)
    /// The broker takes no messages, and says why.
    case blocked(String)
    /// The broker takes messages again.
    case unblocked
    /// It is not tried any more: the connection has ended.
    case gaveUp(AMQPError)
}

/// Whether there is a connection.
public enum ConnectionState: Sendable {
    /// There is one.
    case up
    /// There is none; it is made again.
    case recovering
    /// There is none any more.
    case closed
}

/// What a health check wants to know of a connection.
public struct ConnectionHealth: Sendable {
    /// Whether there is a connection, which takes messages.
    public var isHealthy: Bool { state == .up && blockedReason == nil }
    /// Whether there is one.
    public let state: ConnectionState
    /// For how long there has been none; nil if there is one, or will be none.
    public let downFor: Duration?
    /// Why the broker takes no messages; nil if it does.
    public let blockedReason: String?
    /// For how long it has taken none; nil if it takes them.
    public let blockedFor: Duration?
    /// Why the connection was lost or could not be made the last time, or has ended; nil if nothing of this was ever.
    public let lastError: AMQPError?
}

/// What a recovery has brought back.
public struct RecoveryReport: Sendable {
    /// Something that the broker, or what was left of it, has refused.
    public struct Refusal: Sendable {
        /// What was refused.
        public let entity: RecoveryPolicy.Entity
        /// With what.
        public let error: AMQPError
    }

    /// How many channels are open again.
    public internal(set) var channels = 0
    /// How many exchanges there are again.
    public internal(set) var exchanges = 0
    /// How many queues.
    public internal(set) var queues = 0
    /// How many bindings.
    public internal(set) var bindings = 0
    /// How many consumers go on.
    public internal(set) var consumers = 0
    /// Queues that the broker has named anew: the names that they had before the loss and their new ones.
    public internal(set) var renamed: [String: String] = [:]
    /// What was not brought back.
    public internal(set) var refused: [Refusal] = []
    /// How many messages were published again.
    public internal(set) var resent = 0
}
