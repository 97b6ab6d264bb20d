/// When to try again. A value without a clock: random numbers are given.
///
/// Full jitter: each delay is a random part of a longest one, so that those who lose their broker together don't come back in
/// step. Only a session that has lived for a while has the delays begin anew: a broker that lets everybody in and throws
/// them out again is no better than one that is down.
struct RecoverySchedule: Sendable {
    private let first: Duration
    private let backOff: Duration
    private let longest: Duration
    private var tries = 0
    private(set) var lastDelay = Duration.zero
    /// Whether a delay was cut short since a session last proved itself.
    private(set) var wasCutShort = false

    init(_ policy: RecoveryPolicy) {
        first = policy.firstDelay.clampedToCentury
        backOff = policy.backOff.clampedToCentury
        longest = policy.maxDelay.clampedToCentury
    }

    /// How long to wait before the next try.
    ///
    /// - Parameters:
    ///   - random: From 0 to 1.
    ///   - limit: Another longest delay for this time, if it is shorter; no shorter than the first of the long ones.
    mutating func next(_ random: Double, atMost limit: Duration? = nil) -> Duration {
        let longest = min(self.longest, limit.map { max(backOff, $0) } ?? self.longest)
        let most = tries == 0 ? first : min(longest, backOff * (1 << min(tries - 1, 16)))
        tries += 1
        lastDelay = .nanoseconds(Int64(Double(most.nanoseconds) * min(max(random, 0), 1)))
        return lastDelay
    }

    /// Has the next try not come at once.
    mutating func skipFirst() { tries = max(tries, 1) }

    /// The delay was not waited for, because of what another connection has found out. Once is enough until a session has
    /// proven itself: many who are let in and thrown out again would call each other on for ever.
    mutating func cutShort() { wasCutShort = true }

    /// A session has ended.
    ///
    /// - Parameter lived: For how long there was one.
    mutating func ended(after lived: Duration) {
        if lived > max(lastDelay, backOff) {
            tries = 0
            wasCutShort = false
            return
        }
        // As far as it has proven itself: who was in for some seconds is not kept out for half a minute.
        guard lived >= backOff else { return }
        while tries > 1, backOff * (1 << min(tries - 1, 16)) > lived * 2 { tries -= 1 }
    }
}
