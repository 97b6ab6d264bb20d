/// What becomes of messages whose handler fails: how often and after which delays they are tried again, and where what can't
/// be processed is parked.
///
/// ```swift
/// let policy = RetryPolicy(attempts: 5, delay: .seconds(1), factor: 4, maxDelay: .seconds(600))
/// try await queue.process(maxConcurrency: 10, retrying: policy) { message in
///     try await handle(message)
/// }
/// ```
///
/// A message that waits for its next attempt is in a queue of the broker's, not in this process: it survives both. It is
/// acknowledged only once the broker has confirmed that it has it there, so that none is lost; one is there twice only if
/// nobody knows what became of a publish or an acknowledgement, because the connection was lost in between.
/// <doc:Retries> has the whole of it.
public struct RetryPolicy: Sendable {
    /// How often a message is tried, the first time included; at least 1, which parks it at its first failure. 5 by default.
    public var attempts: Int

    /// How long a message waits after its first failure, from a millisecond on; 1 s by default.
    public var delay: Duration

    /// By how much the delay grows with each failure, at least 1, with which all delays are the same; 2 by default.
    public var factor: Double

    /// The longest delay, at most 10 days; 5 minutes by default.
    public var maxDelay: Duration

    /// The part of each delay, from 0 to 1, of which a random part is left out, so that what failed together does not come
    /// back together; 0.2 by default.
    public var jitter: Double

    /// How often a quorum queue may have delivered a message without any outcome before it is parked unseen; 15 by default, nil
    /// for no limit.
    ///
    /// The message whose handler crashes the process would come back for ever. RabbitMQ 4.0 and later drop it after 20
    /// returns: where the queue was declared with a ``QueueArguments/deliveryLimit`` that is less than this, that counts.
    /// Other queues don't count.
    public var maxReturns: Int?

    /// The name of the queue where messages are parked; if nil, that of the consumer's queue with `.parked` behind it.
    public var parkingQueue: String?

    /// The type of the queues that the library declares: classic or quorum. If nil, the type with which the consumer's queue
    /// was declared, and classic where it was declared with none.
    ///
    /// All who consume from one queue must give the same type here, or be it nil and declare the queue alike.
    public var queueType: QueueType?

    /// Whether the library declares the queues where messages wait and are parked; true by default. If not, somebody else has
    /// to: ``topology(for:)`` says what.
    public var declares: Bool

    /// Says what becomes of a message whose handler threw an error, unless that is a ``RetryDecision``. By default a
    /// message whose body does not decode is parked (``isOfDecoding(_:)``), and everything else tried again.
    public var decide: @Sendable (_ error: any Error, _ attempt: FailedAttempt) async -> RetryDecision

    /// Gives the text for an error that a message is parked with, or waits with; its description by default. At most 1,000
    /// characters of it are kept.
    public var errorText: @Sendable (any Error) -> String

    /// Makes a policy.
    ///
    /// - Parameters:
    ///   - attempts: ``attempts``.
    ///   - delay: ``delay``.
    ///   - factor: ``factor``.
    ///   - maxDelay: ``maxDelay``.
    ///   - jitter: ``jitter``.
    ///   - maxReturns: ``maxReturns``.
    ///   - parkingQueue: ``parkingQueue``.
    ///   - queueType: ``queueType``.
    ///   - declares: ``declares``.
    ///   - isFinal: Whether an error is one that no other attempt would mend: the message is parked at once. Those that
    ///     ``isOfDecoding(_:)`` tells are in any case, and by default no others. Not asked if `decide` is given.
    ///   - decide: ``decide``, for what `isFinal` can't say.
    ///   - errorText: ``errorText``.
    public init(
        attempts: Int = 5,
        delay: Duration = .seconds(1),
        factor: Double = 2,
        maxDelay: Duration = .seconds(300),
        jitter: Double = 0.2,
        maxReturns: Int? = 15,
        parkingQueue: String? = nil,
        queueType: QueueType? = nil,
        declares: Bool = true,
        isFinal: @escaping @Sendable (any Error) -> Bool = RetryPolicy.isOfDecoding,
        decide: (@Sendable (_ error: any Error, _ attempt: FailedAttempt) async -> RetryDecision)? = nil,
        errorText: @escaping @Sendable (any Error) -> String = { String(describing: $0) }
    ) {
        self.attempts = attempts
        self.delay = delay
        self.factor = factor
        self.maxDelay = maxDelay
        self.jitter = jitter
        self.maxReturns = maxReturns
        self.parkingQueue = parkingQueue
        self.queueType = queueType
        self.declares = declares
        self.decide = decide ?? { error, _ in isFinal(error) || Self.isOfDecoding(error) ? .park : .retry }
        self.errorText = errorText
    }

    /// Whether an error says that a message's body does not decode, ``AMQPError/Code/decodingFailed``: no other attempt would
    /// change that.
    ///
    /// A bare `DecodingError` does not say so: it may be about the answer of another service, which is another one the next
    /// time. So it is with the reply to a call of an ``RPCClient``. A handler that decodes bodies by itself says with `isFinal`
    /// that those are final.
    @Sendable
    public static func isOfDecoding(_ error: any Error) -> Bool {
        guard let error = error as? AMQPError, error.code == .decodingFailed else { return false }
        // A reply's has that of its body below it.
        return (error.underlying as? AMQPError)?.code != .decodingFailed
    }
}

/// An attempt to process a message that has failed.
public struct FailedAttempt: Sendable {
    /// The message.
    public let message: IncomingMessage

    /// Which attempt it was, from 1.
    public let number: Int

    /// How many there are at the most: ``RetryPolicy/attempts``.
    public let limit: Int

    /// Whether it was the last one: a decision to try again parks the message.
    public var isLast: Bool { number >= limit }
}

extension RetryPolicy {
    /// The longest delay: what RabbitMQ takes as an expiration is less than 50 days.
    private static let longestDelay = Duration.seconds(10 * 24 * 3600)

    /// Refuses what can't work.
    func validate() throws(AMQPError) {
        func require(_ condition: Bool, _ problem: String) throws(AMQPError) {
            guard condition else { throw AMQPError(.invalidArgument, "the retry policy can't be: \(problem)") }
        }
        try require(attempts >= 1, "attempts is \(attempts), where 1 is the least")
        try require(delay > .zero, "the delay is not positive")
        try require(maxDelay > .zero && maxDelay <= Self.longestDelay, "maxDelay is not from 1 ms to 10 days")
        try require(factor >= 1 && factor.isFinite, "the factor is \(factor), where 1 is the least")
        try require(jitter >= 0 && jitter <= 1, "the jitter is \(jitter), not from 0 to 1")
        try require(maxReturns ?? 1 >= 1, "maxReturns is \(maxReturns ?? 0), where 1 is the least")
        try require(
            queueType == nil || queueType == .classic || queueType == .quorum,
            "messages can't wait in queues of type \(queueType?.rawValue ?? "")"
        )
    }

    /// How long a message waits after its `number`-th failure, from 1, in whole milliseconds; without jitter.
    func milliseconds(afterFailure number: Int) -> Int64 {
        // Who plans the queues of a policy that is refused later gets sums, not a trap.
        let longest = min(maxDelay, Self.longestDelay)
        let (first, most) = (max(1, delay.wholeMilliseconds), max(1, longest.wholeMilliseconds))
        // Factors may be so large that no number holds the product.
        let grown = Double(first) * growth(max(0, number - 1))
        return grown < Double(most) ? max(1, Int64(grown.rounded())) : most
    }

    /// `factor` to the power of `exponent`.
    private func growth(_ exponent: Int) -> Double {
        var (result, base, left) = (1.0, factor, exponent)
        while left > 0, result.isFinite {
            if left & 1 == 1 { result *= base }
            base *= base
            left >>= 1
        }
        return result
    }

    /// The most delays of which each has a queue of its own.
    private static let mostExactLevels = 12

    /// The delays for which there are queues, in milliseconds, the shortest first: all that the policy has; or if those are
    /// many, the first, each twice the one before, and the longest.
    var levels: [Int64] {
        guard attempts > 1 else { return [] }
        let longest = milliseconds(afterFailure: attempts - 1)
        var levels: [Int64] = []
        for number in 1..<min(attempts, Self.mostExactLevels + 1) {
            let next = milliseconds(afterFailure: number)
            if next != levels.last { levels.append(next) }
        }
        if levels.last == longest { return levels }
        levels = [milliseconds(afterFailure: 1)]
        while let last = levels.last, last < longest { levels.append(min(longest, last * 2)) }
        return levels
    }
}
