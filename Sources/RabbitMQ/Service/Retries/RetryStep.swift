/// What is to be done with a delivery once it is decided what becomes of its message.
enum RetryStep: Hashable, Sendable {
    case acknowledge
    /// It goes to the queue's dead-letter exchange.
    case reject
    /// It goes back to its queue as if nobody had begun.
    case giveBack
    /// It goes back to its queue as one that failed, which the broker delivers after a while.
    case `return`
    /// It is published to a queue, and then acknowledged.
    case send(to: String, Message)
}

/// Decides what is to be done with deliveries. A value without a clock: times and random numbers are given.
struct RetryPlan: Sendable {
    let policy: RetryPolicy
    let ring: RetryRing
    /// Whether the broker itself lets messages wait that failed, and counts them.
    let brokerDelays: Bool

    /// Which attempt it is that a handler begins, from 1.
    ///
    /// - Parameter returns: How often the queue has delivered the message before without an outcome, where it counts.
    func attempt(_ message: RetriedMessage, returns: Int) -> Int {
        let (sum, overflows) = message.failures.addingReportingOverflow(brokerDelays ? returns : 0)
        return overflows || sum == .max ? .max : sum + 1
    }

    /// What is to be done before any handler sees the message; nil if one is to see it.
    func stepUnseen(_ message: RetriedMessage, returns: Int, at time: UInt64) -> RetryStep? {
        if message.rest > 0 { return wait(message, for: message.rest, error: nil, at: nil) }
        let mostReturns = brokerDelays ? policy.attempts - message.failures : policy.maxReturns
        guard returns > 0, let mostReturns, returns >= mostReturns else { return nil }
        var failed = message
        failed.failures = attempt(message, returns: returns) - 1
        return park(failed, "it was delivered \(returns) times without any outcome", at: time)
    }

    /// What is to be done with a message that a handler has seen.
    ///
    /// - Parameters:
    ///   - decision: What becomes of it.
    ///   - error: Why, in words; nil if nobody says.
    ///   - returns: How often the queue has delivered it before without an outcome, where it counts.
    ///   - time: The time, in seconds since 1970.
    ///   - random: From 0 to 1.
    func step(
        _ decision: RetryDecision,
        _ message: RetriedMessage,
        error: String?,
        returns: Int,
        at time: UInt64,
        random: Double
    ) -> RetryStep {
        var failed = message
        failed.failures = attempt(message, returns: returns)
        switch decision.kind {
        case .done, .drop: return .acknowledge
        case .reject: return .reject
        case .giveBack: return .giveBack
        case .park: return park(failed, error, at: time)
        case .retry, .retryAfter: break
        }
        guard failed.failures < policy.attempts else { return park(failed, error, at: time) }
        failed.firstFailure = message.firstFailure ?? time
        if case .retryAfter(let delay) = decision.kind {
            return wait(failed, for: max(0, delay.wholeMilliseconds), error: error, at: time)
        }
        if brokerDelays { return .return }
        let longest = Double(policy.milliseconds(afterFailure: failed.failures))
        let delay = longest * (1 - policy.jitter * min(max(random, 0), 1))
        return wait(failed, for: max(1, Int64(delay.rounded())), error: error, at: time)
    }

    private func wait(_ message: RetriedMessage, for milliseconds: Int64, error: String?, at time: UInt64?) -> RetryStep
    {
        let route = ring.route(milliseconds)
        return .send(to: route.queue, message.sealed(for: route, queue: ring.queue, error: error, at: time))
    }

    private func park(_ failed: RetriedMessage, _ error: String?, at time: UInt64) -> RetryStep {
        .send(to: ring.parkingQueue, failed.parked(from: ring.queue, error: error, at: time))
    }
}
