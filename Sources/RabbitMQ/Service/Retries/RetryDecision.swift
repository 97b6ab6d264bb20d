/// What becomes of a message that a handler was given: see ``RetryPolicy``.
///
/// A handler returns or throws one; a ``RetryPolicy/decide`` makes one of any other error.
///
/// ```swift
/// guard let stock = try await warehouse.stock(of: order.item) else { throw RetryDecision.park("no such item") }
/// guard stock > 0 else { throw RetryDecision.retry(after: .seconds(600)) }
/// ```
public struct RetryDecision: Error, Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        case done, drop, reject, giveBack, retry, park
        case retryAfter(Duration)
    }

    let kind: Kind

    /// Why, in words; what parks the message has it in its header. Nil if the error, if there is one, says it.
    public let reason: String?

    private init(_ kind: Kind, _ reason: String? = nil) {
        self.kind = kind
        self.reason = reason
    }

    /// It was processed: acknowledged.
    public static let done = RetryDecision(.done)

    /// It is tried again after the delay that the policy has for this attempt, or parked if that was the last attempt.
    public static let retry = RetryDecision(.retry)

    /// It is tried again after this delay, or parked if this was the last attempt. With zero it goes to the end of its queue
    /// at once.
    ///
    /// - Parameters:
    ///   - delay: How long it waits at least; one that is longer than the policy's longest delay is waited for in parts.
    ///   - reason: ``reason``.
    public static func retry(after delay: Duration, _ reason: String? = nil) -> RetryDecision {
        RetryDecision(.retryAfter(delay), reason)
    }

    /// It is parked: it goes to the parking queue, and is not tried again by itself.
    public static let park = RetryDecision(.park)

    /// It is parked.
    ///
    /// - Parameter reason: ``reason``.
    public static func park(_ reason: String) -> RetryDecision { RetryDecision(.park, reason) }

    /// It is acknowledged though it was not processed, and is gone.
    public static let drop = RetryDecision(.drop)

    /// It is rejected: it goes to the queue's own dead-letter exchange, or is dropped if there is none.
    public static let reject = RetryDecision(.reject)

    /// It goes back to its queue as if nobody had begun, and does not count as an attempt: for a handler that is told to stop.
    public static let giveBack = RetryDecision(.giveBack)
}

extension RetryDecision: CustomStringConvertible {
    /// The decision in a word, and its reason.
    public var description: String {
        let word =
            switch kind {
            case .done: "done"
            case .drop: "drop"
            case .reject: "reject"
            case .giveBack: "giveBack"
            case .retry: "retry"
            case .park: "park"
            case .retryAfter(let delay): "retry after \(delay)"
            }
        return reason.map { "\(word): \($0)" } ?? word
    }
}
