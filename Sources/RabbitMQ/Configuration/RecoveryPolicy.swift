/// What becomes of a connection that is lost: by default it is made again, with all that belonged to it, under the same
/// handles.
///
/// <doc:Recovery> has the whole of it.
public struct RecoveryPolicy: Sendable {
    /// What publishing and calls do while there is no connection. A channel that is opened anew by itself while there is
    /// one is waited for either way.
    public struct WhileDown: Sendable, Hashable {
        private enum Value { case wait, fail }

        private let value: Value

        /// They wait until it is back: a publish for the configuration's `publishTimeout`, a call for its `callTimeout`.
        public static let wait = WhileDown(value: .wait)
        /// They throw at once: ``AMQPError/Code/connectionLost``.
        public static let fail = WhileDown(value: .fail)
    }

    /// What becomes of messages that a lost connection, or a channel, leaves unconfirmed.
    public struct Unconfirmed: Sendable, Hashable {
        private enum Value { case report, resend }

        private let value: Value

        /// Their receipts say ``AMQPError/Code/outcomeUnknown``: the broker may have them or not.
        public static let report = Unconfirmed(value: .report)
        /// They are published again, in order, before anything new, and their receipts wait for the new confirms. What the
        /// broker had already is there twice then. They are kept in memory until they are confirmed, as many as
        /// `maxUnconfirmed` says.
        public static let resend = Unconfirmed(value: .resend)
    }

    /// What becomes of an exchange, a queue or a binding that was declared through the connection.
    public struct EntityRecovery: Sendable, Hashable {
        private enum Value { case declare, verify, leave }

        private let value: Value

        /// It is declared again, which makes it if it is gone.
        public static let declare = EntityRecovery(value: .declare)
        /// It is looked for, and reported if it is gone. A binding, which can't be looked for, is left.
        public static let verify = EntityRecovery(value: .verify)
        /// Nothing is asked.
        public static let leave = EntityRecovery(value: .leave)
    }

    /// Something that was declared.
    public enum Entity: Sendable, Hashable {
        /// An exchange.
        case exchange(Topology.Exchange)
        /// A queue, with its name at present if the broker made that up.
        case queue(Topology.Queue)
        /// A binding.
        case binding(Topology.Binding)
    }

    /// Whether anything is recovered at all.
    public var isEnabled = true

    /// Whether ``Connection/connect(_:onClose:)`` tries on too, as long as it may pass what keeps it from connecting. False
    /// by default: who starts with a wrong address hears of it.
    public var retriesFirstConnect = false

    /// How often an outage is tried to be ended, at least 1; unlimited (nil) by default.
    public var maxAttempts: Int?

    /// How long; unlimited (nil) by default. The last try begins when the time is over.
    public var maxDuration: Duration?

    /// The first try comes after a random part of this; 5 ms by default.
    public var firstDelay: Duration = .milliseconds(5)

    /// The second try comes after a random part of this, each later one of twice as much as the one before; 0.1 s by
    /// default. They begin anew once a connection has lived longer than the last delay, and no less than this.
    /// After one that has lived less than the last delay, but no less than this, they go on with twice its life at the most.
    public var backOff: Duration = .milliseconds(100)

    /// The longest delay; 30 s by default. While calls or publishes wait for the connection, or messages are to be
    /// published again on it, no more than a sixth of ``ConnectionConfiguration/publishTimeout``, 5 s by default, so that
    /// they hear in time of a broker that is back; but never less than ``backOff``.
    public var maxDelay: Duration = .seconds(30)

    /// What publishing and calls do meanwhile; ``WhileDown/wait`` by default.
    public var whileDown = WhileDown.wait

    /// What becomes of unconfirmed messages; ``Unconfirmed/report`` by default.
    public var unconfirmed = Unconfirmed.report

    /// What becomes of each thing that was declared; ``EntityRecovery/declare`` by default.
    public var topology: @Sendable (Entity) -> EntityRecovery = { _ in .declare }

    /// Everything is recovered, without a limit.
    public init() {}

    /// Nothing is recovered: a lost connection stays lost, and all that belongs to it ends with the reason.
    public static let none: RecoveryPolicy = {
        var policy = RecoveryPolicy()
        policy.isEnabled = false
        return policy
    }()

    /// Refuses what can't work.
    func validate() throws(AMQPError) {
        func require(_ condition: Bool, _ message: String) throws(AMQPError) {
            guard condition else { throw AMQPError(.invalidArgument, message) }
        }
        try require(maxAttempts ?? 1 > 0, "recovery.maxAttempts is not positive")
        try require(maxDuration ?? .seconds(1) > .zero, "recovery.maxDuration is not positive")
        try require(firstDelay >= .zero && backOff > .zero && maxDelay > .zero, "a delay of recovery is not positive")
    }
}
