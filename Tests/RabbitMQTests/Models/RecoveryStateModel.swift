import TestSupport

@testable import RabbitMQ

/// The state of a recovering connection, with whoever sees to its outages.
struct RecoveryStateModel: CheckedModel {
    enum Step: Sendable {
        case pass(nanoseconds: UInt64)
        case lose(passes: Bool)
        case seeTo
        case tryAgain(Double)
        case fail(passes: Bool)
        case restore
        case close
    }

    private let policy: RecoveryPolicy
    private var state: RecoveryState
    private var now: UInt64 = 1
    /// How many see to the outage.
    private var seers = 0
    private var attempts = 0
    private var downSince: UInt64 = 0
    private var isDown = false
    private var isClosed = false

    init(_ random: inout SplitMix) {
        var policy = RecoveryPolicy()
        policy.isEnabled = random.chance(0.95)
        policy.maxAttempts = random.pick([nil, 1, 3, 50])
        policy.maxDuration = random.pick([nil, .milliseconds(10), .seconds(100)])
        policy.maxDelay = random.pick([.milliseconds(1), .seconds(30), .seconds(Int64.max)])
        self.policy = policy
        state = RecoveryState(policy, canChangeLogin: false, now: 0)
    }

    static func step(_ random: inout SplitMix) -> Step {
        switch random.number(0...30) {
        case 0...5: return .pass(nanoseconds: random.pick([1, 1_000_000, 1_000_000_000, 3_600_000_000_000, .max / 4]))
        case 6...11: return .lose(passes: random.chance(0.97))
        case 12...16: return .seeTo
        case 17...22: return .tryAgain(random.pick([0, 0.5, 1, -1, 2]))
        case 23...26: return .fail(passes: random.chance(0.95))
        case 27...29: return .restore
        default: return random.chance(0.1) ? .close : .pass(nanoseconds: 5)
        }
    }

    private static func error(_ passes: Bool) -> AMQPError {
        AMQPError(passes ? .connectionLost : .authenticationFailed, "ended")
    }

    mutating func apply(_ step: Step) -> String? {
        switch step {
        case .pass(let nanoseconds): now &+= nanoseconds
        case .lose(let passes):
            let goesOn = state.lost(Self.error(passes), now: now)
            guard goesOn == (!isClosed && policy.isEnabled && passes) else { return "goes on: \(goesOn)" }
            if goesOn, !isDown { (isDown, attempts, downSince) = (true, 0, now) }
        case .seeTo:
            if state.seeTo() { seers += 1 }
            guard seers <= 1 else { return "two see to one outage" }
            guard !isDown || isClosed || seers == 1 else { return "nobody sees to the outage" }
        case .tryAgain(let random):
            guard seers == 1, !isClosed || !isDown else { break }
            switch state.next(now: now, random: random) {
            case .tryAfter(let delay, let attempt):
                attempts += 1
                guard isDown, !isClosed, attempt == attempts else { return "attempt \(attempt) instead of \(attempts)" }
                guard delay >= .zero, delay <= max(policy.maxDelay, policy.firstDelay) else {
                    return "tries after \(delay)"
                }
                guard attempts <= policy.maxAttempts ?? .max else { return "\(attempts) attempts" }
                // The first try is made however long it was that nobody could.
                guard attempts == 1 || !isOver(after: delay) else { return "tries again after its time" }
            case .giveUp:
                guard attempts >= policy.maxAttempts ?? .max || attempts > 0 && policy.maxDuration != nil else {
                    return "gives up after \(attempts) attempts"
                }
                if let wrong = close() { return wrong }
            case .nothing: if isDown { return "nothing is done about an outage" }
            }
        case .fail(let passes):
            guard seers == 1, isDown else { break }
            let goesOn = state.failed(Self.error(passes))
            guard goesOn == passes else { return "tries again: \(goesOn)" }
            if !goesOn, let wrong = close() { return wrong }
        case .restore:
            guard seers == 1 || isClosed else { break }
            let outage = state.restored(now: now)
            guard (outage != nil) == isDown else { return "restored what was not down" }
            guard outage == nil || outage?.attempts == attempts else {
                return "an outage of \(outage?.attempts ?? 0) attempts"
            }
            if isDown { (isDown, seers) = (false, 0) }
        case .close: if let wrong = close() { return wrong }
        }
        return invariants()
    }

    /// Whether the outage will have lasted too long by then. Half of what a clock can count is longer than any test.
    private func isOver(after delay: Duration) -> Bool {
        let elapsed = now &- downSince
        guard let most = policy.maxDuration, elapsed < .max / 2 else { return false }
        return elapsed + delay.nanoseconds > most.nanoseconds
    }

    private mutating func close() -> String? {
        guard state.close(Self.error(false)) == !isClosed else { return "closed twice" }
        (isClosed, isDown, seers) = (true, false, 0)
        return nil
    }

    private func invariants() -> String? {
        switch state.phase {
        case .up: !isDown && !isClosed ? nil : "it is up"
        case .down: isDown && !isClosed ? nil : "it is down"
        case .closed: isClosed ? nil : "it is closed"
        }
    }

    mutating func finish() -> String? {
        if let wrong = close() { return wrong }
        return state.lost(Self.error(true), now: now) || state.seeTo() || state.restored(now: now) != nil
            ? "comes back from its end" : invariants()
    }
}
