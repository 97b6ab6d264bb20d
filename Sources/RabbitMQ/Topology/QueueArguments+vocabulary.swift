extension QueueArguments {
    /// What happens to messages beyond the queue's greatest length: `x-overflow`.
    public struct Overflow: RawRepresentable, Hashable, Sendable {
        /// The name on the wire.
        public let rawValue: String

        /// Makes one from its name on the wire.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// The oldest messages are dropped, or dead-lettered; the default.
        public static let dropHead = Overflow(rawValue: "drop-head")
        /// New messages are refused: confirming publishers get a nack.
        ///
        /// In a quorum queue the limit is soft: publishers are told only once it is full, and what they have sent until then
        /// is taken.
        public static let rejectPublish = Overflow(rawValue: "reject-publish")
        /// New messages are refused and dead-lettered. Classic queues only.
        public static let rejectPublishDeadLetter = Overflow(rawValue: "reject-publish-dlx")
    }

    /// How sure dead-lettering is: `x-dead-letter-strategy`.
    public struct DeadLetterStrategy: RawRepresentable, Hashable, Sendable {
        /// The name on the wire.
        public let rawValue: String

        /// Makes one from its name on the wire.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// Messages can be lost on the way; the default.
        public static let atMostOnce = DeadLetterStrategy(rawValue: "at-most-once")
        /// Messages stay in the queue until they have arrived. Quorum queues only, with ``Overflow/rejectPublish`` and a
        /// dead-letter exchange, of the arguments or of a policy: if one is missing, RabbitMQ falls back to
        /// ``atMostOnce``, and says so only in its log.
        public static let atLeastOnce = DeadLetterStrategy(rawValue: "at-least-once")
    }

    /// Which messages wait before they are delivered again: `x-delayed-retry-type`.
    ///
    /// RabbitMQ 4.3 tells messages that failed from those that were only given back: ``IncomingMessage/reject(requeue:)``
    /// says that one failed, and so does the end of a channel or connection that had it; ``IncomingMessage/nack(requeue:multiple:)``
    /// gives back.
    public struct DelayedRetryType: RawRepresentable, Hashable, Sendable {
        /// The name on the wire.
        public let rawValue: String

        /// Makes one from its name on the wire.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// None; the default.
        public static let disabled = DelayedRetryType(rawValue: "disabled")
        /// All that come back.
        public static let all = DelayedRetryType(rawValue: "all")
        /// Those that failed.
        public static let failed = DelayedRetryType(rawValue: "failed")
        /// Those that were only given back.
        public static let returned = DelayedRetryType(rawValue: "returned")
    }

    /// On which node a replicated queue's leader begins: `x-queue-leader-locator`.
    public struct LeaderLocator: RawRepresentable, Hashable, Sendable {
        /// The name on the wire.
        public let rawValue: String

        /// Makes one from its name on the wire.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// The node that the declaring client is connected to; the default.
        public static let clientLocal = LeaderLocator(rawValue: "client-local")
        /// One with few leaders, or any if there are many queues.
        public static let balanced = LeaderLocator(rawValue: "balanced")
    }

    /// Where a classic queue keeps its messages: `x-queue-mode`. RabbitMQ 3.12 and later ignore it.
    public struct Mode: RawRepresentable, Hashable, Sendable {
        /// The name on the wire.
        public let rawValue: String

        /// Makes one from its name on the wire.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// In memory as well as on disk.
        public static let `default` = Mode(rawValue: "default")
        /// On disk, read when they are asked for.
        public static let lazy = Mode(rawValue: "lazy")
    }
}
