internal import Logging

/// When to renew a secret that ends. A value without a clock.
struct RenewalSchedule {
    let validity: Duration
    private var failures = 0

    init(validity: Duration) { self.validity = validity.clampedToCentury }

    /// How long to wait after a secret was given: four fifths of its time, and never so short that it becomes a storm.
    var firstDelay: Duration { max(validity * 4 / 5, .milliseconds(100)) }

    /// How long to wait after a failure: a fourth of the time that is left, then twice as long each time, and at most 30 s.
    mutating func delayAfterFailure(left: Duration) -> Duration {
        failures += 1
        let shortest = max(min(validity / 20, .seconds(1)), .milliseconds(50))
        if left > shortest {
            failures = 0
            return min(max(left / 4, shortest), .seconds(30))
        }
        return min(shortest * (1 << min(failures - 1, 10)), .seconds(30))
    }
}

/// Renews a connection's secret before it ends, for as long as the connection lives.
enum SecretRenewal {
    static func start(on link: Link, credentials: ConnectionConfiguration.Credentials, login: Login) {
        guard case .expiring(let provider) = credentials.kind, let validity = login.validity else { return }
        CallTimeout.withNone {
            _ = Task {
                await withTaskGroup { group in
                    group.addTask { try? await renew(on: link, validity, provider) }
                    group.addTask { _ = try? await link.ended.wait() }
                    await group.next()
                    group.cancelAll()
                }
            }
        }
    }

    private static func renew(
        on link: Link,
        _ validity: (end: UInt64, duration: Duration),
        _ provider: @escaping @Sendable () async throws -> ExpiringSecret
    ) async throws {
        var end = validity.end
        var schedule = RenewalSchedule(validity: validity.duration)
        // The secret was given before the connection was made.
        var delay = schedule.firstDelay - (schedule.validity - left(until: end))
        while true {
            try await DeadlineTimer.shared.sleep(for: delay)
            do {
                let secret = try await ConnectionConfiguration.Credentials.ask(
                    provider,
                    within: link.configuration.callTimeout
                )
                let given = MonotonicTime.now
                try await link.updateSecret(secret.secret, reason: "the old one ends soon")
                link.logger.debug("the connection's secret was renewed")
                guard let validFor = secret.validFor else { return }
                schedule = RenewalSchedule(validity: validFor)
                end = given &+ validFor.nanoseconds
                delay = schedule.firstDelay
            } catch {
                try Task.checkCancellation()
                // Calls fail a moment before the link's end is known.
                if link.ended.current != nil || Self.isEnd(error) { return }
                delay = schedule.delayAfterFailure(left: left(until: end))
                link.logger.warning(
                    "the connection's secret was not renewed",
                    metadata: [
                        LogKey.reason: "\(String(describing: error).printable(1_200))", LogKey.nextTryIn: "\(delay)",
                    ]
                )
            }
        }
    }

    private static func isEnd(_ error: any Error) -> Bool {
        let code = (error as? AMQPError)?.code
        return code == .connectionLost || code == .connectionClosed
    }

    private static func left(until end: UInt64) -> Duration {
        let now = MonotonicTime.now
        return end > now ? .nanoseconds(Int64(clamping: end - now)) : .zero
    }
}
