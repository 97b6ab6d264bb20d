import TestSupport
import Testing

@testable import RabbitMQ

@Suite("what is done about a lost connection")
struct RecoveryStateTests {
    private let lost = AMQPError(.connectionLost, "reset by peer")
    private let second: UInt64 = 1_000_000_000

    private func state(
        canChangeLogin: Bool = false,
        _ change: (inout RecoveryPolicy) -> Void = { _ in }
    ) -> RecoveryState {
        var policy = RecoveryPolicy()
        change(&policy)
        return RecoveryState(policy, canChangeLogin: canChangeLogin, now: 0)
    }

    private func closed(_ code: UInt16, _ text: String) -> AMQPError {
        let cause = AMQPError(replyCode: code, replyText: text, classID: 0, methodID: 0, closedConnection: true)
        return AMQPError(
            .connectionClosed,
            "the broker closed the connection",
            underlying: cause,
            replyCode: cause.replyCode,
            replyText: cause.replyText,
            method: cause.method
        )
    }

    private func isUp(_ state: RecoveryState) -> Bool { if case .up = state.phase { true } else { false } }

    // MARK: When

    @Test func `what is lost, and what the broker closes for a reason that passes, is made again`() {
        let reasons = [
            lost, AMQPError(.protocolViolation, "out of step"),
            closed(320, "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'"),
            closed(541, "INTERNAL_ERROR"),
            closed(530, "NOT_ALLOWED - connection refused: node connection limit (1) is reached"),
        ]
        for reason in reasons {
            var state = state()
            let goesOn = state.lost(reason, now: second)
            #expect(goesOn && state.outage?.since == second, "\(reason)")
        }
    }

    @Test func `the news that the broker is back is heard once by each that is thrown out again and again`() {
        var state = state()
        _ = state.lost(lost, now: second)
        #expect(state.mayHearNews(after: .seconds(20)))
        // The first try comes sooner than any news.
        #expect(!state.mayHearNews(after: .milliseconds(1)))
        _ = state.next(now: second, random: 1)
        _ = state.next(now: second, random: 1)
        state.heardNews()
        _ = state.restored(now: 2 * second)
        _ = state.lost(lost, now: 2 * second + 1)
        #expect(!state.mayHearNews(after: .seconds(20)))
        _ = state.next(now: 2 * second + 1, random: 1)
        _ = state.restored(now: 3 * second)
        // It has lived for a minute.
        _ = state.lost(lost, now: 63 * second)
        #expect(state.mayHearNews(after: .seconds(20)))
    }

    @Test func `what will not be otherwise ends it`() {
        let reasons = [
            AMQPError(.connectionClosed, "the connection was closed by the application"),
            closed(530, "NOT_ALLOWED - vhost x not found"), closed(403, "ACCESS_REFUSED - access to vhost refused"),
            AMQPError(.authenticationFailed, "wrong password"),
        ]
        for reason in reasons {
            var state = state()
            let goesOn = state.lost(reason, now: second)
            #expect(!goesOn && isUp(state), "\(reason)")
        }
    }

    @Test func `nothing is made again without a policy for it, or once it is closed`() {
        var none = RecoveryState(.none, canChangeLogin: true, now: 0)
        let goesOn = none.lost(lost, now: 1)
        #expect(!goesOn && isUp(none))
        var state = state()
        let isFirst = state.close(lost)
        let isSecond = state.close(lost)
        #expect(isFirst && !isSecond)
        let isLost = state.lost(lost, now: 1)
        let isSeenTo = state.seeTo()
        let isTriedOn = state.failed(lost)
        let restored = state.restored(now: 1)
        #expect(!isLost && !isSeenTo && !isTriedOn && restored == nil)
        guard case .nothing = state.next(now: 1, random: 0) else {
            Issue.record("it is tried")
            return
        }
    }

    @Test func `closing while it is down, and while it is tried, ends it`() {
        for tries in 0...2 {
            var state = state()
            _ = state.lost(lost, now: 0)
            _ = state.seeTo()
            for _ in 0..<tries { _ = state.next(now: 1, random: 0) }
            let closes = state.close(AMQPError(.connectionClosed, "by us"))
            #expect(closes)
            let restored = state.restored(now: 2)
            #expect(restored == nil)
        }
    }

    // MARK: One outage

    @Test func `one sees to an outage, and the next one is seen to anew`() {
        var state = state()
        let tooEarly = state.seeTo()
        _ = state.lost(lost, now: 1)
        let (first, second) = (state.seeTo(), state.seeTo())
        #expect(!tooEarly && first && !second)
        // The link that was to end it is lost too: the same outage.
        let goesOn = state.lost(lost, now: 5)
        #expect(goesOn && state.outage?.since == 1)
        let third = state.seeTo()
        #expect(!third)
        let outage = state.restored(now: 10)
        #expect(outage?.since == 1 && isUp(state))
        _ = state.lost(lost, now: 20)
        let again = state.seeTo()
        #expect(again)
    }

    @Test func `wrong credentials end it, unless others may be given`() {
        let refused = AMQPError(.authenticationFailed, "refused")
        for canChange in [false, true] {
            var state = state(canChangeLogin: canChange)
            _ = state.lost(lost, now: 0)
            let goesOn = state.failed(refused)
            #expect(goesOn == canChange)
            #expect(state.outage?.lastError?.code == .authenticationFailed)
        }
    }

    @Test func `who hangs up on the credentials has not refused them, if they were good before`() {
        let guess = AMQPError(
            .authenticationFailed,
            "the broker closed the connection on receiving the credentials",
            underlying: AMQPError(.connectionLost, "the peer closed the connection")
        )
        var state = state()
        _ = state.lost(lost, now: 0)
        var first = RecoveryState.connecting(RecoveryPolicy(), canChangeLogin: false, now: 0)
        let goesOn = state.failed(guess)
        let firstGoesOn = first.failed(guess)
        #expect(goesOn && !firstGoesOn)
    }

    @Test func `a provider that gave no credentials is asked again`() {
        struct Down: Error {}
        var state = state()
        _ = state.lost(lost, now: 0)
        let goesOn = state.failed(AMQPError(.authenticationFailed, "no token", underlying: Down()))
        #expect(goesOn)
    }

    @Test func `a certificate that fails, and several endpoints of which one may pass, are tried again`() {
        var state = state()
        _ = state.lost(lost, now: 0)
        let withTLS = state.failed(AMQPError(.tlsFailed, "expired"))
        let withNobody = state.failed(AMQPError(.connectionFailed, "refused"))
        let withVirtualHost = state.failed(closed(530, "NOT_ALLOWED - vhost x not found"))
        #expect(withTLS && withNobody && !withVirtualHost)
    }

    @Test func `files of certificates that can't be read are read again, if they were good before`() {
        let reasons: [TLSFailure.Reason] = [.unreadableFile, .badCertificate, .badKey, .keyMismatch]
        for reason in reasons {
            let error = TLSFailure(.configuration, reason, "half written").error()
            var state = state()
            _ = state.lost(lost, now: 0)
            var first = RecoveryState.connecting(RecoveryPolicy(), canChangeLogin: false, now: 0)
            let goesOn = state.failed(error)
            let firstGoesOn = first.failed(error)
            #expect(goesOn && !firstGoesOn, "\(reason)")
        }
        var state = state()
        _ = state.lost(lost, now: 0)
        let goesOn = state.failed(TLSFailure(.configuration, .unsupported, "no such name").error())
        #expect(!goesOn)
    }

    // MARK: Giving up

    @Test func `after so many tries it is given up, with the last reason`() {
        var state = state { $0.maxAttempts = 2 }
        _ = state.lost(lost, now: 0)
        var attempts: [Int] = []
        while case .tryAfter(_, let attempt) = state.next(now: 0, random: 0.5) {
            attempts.append(attempt)
            _ = state.failed(AMQPError(.connectionFailed, "refused \(attempt)"))
        }
        #expect(attempts == [1, 2])
        guard case .giveUp(let error) = state.next(now: 0, random: 0.5) else {
            Issue.record("it goes on")
            return
        }
        #expect(error.message == "refused 2")
        // The next outage has its own.
        _ = state.restored(now: 1)
        _ = state.lost(lost, now: 2)
        guard case .tryAfter(_, attempt: 1) = state.next(now: 2, random: 0) else {
            Issue.record("it is not tried")
            return
        }
    }

    @Test func `after so long it is given up, but not before it was tried once`() {
        var state = state {
            $0.maxDuration = .seconds(10)
            $0.firstDelay = .seconds(60)
            $0.backOff = .milliseconds(500)
        }
        _ = state.lost(lost, now: 0)
        guard case .tryAfter(.seconds(60), attempt: 1) = state.next(now: 0, random: 1) else {
            Issue.record("it is not tried")
            return
        }
        guard case .tryAfter(.milliseconds(500), attempt: 2) = state.next(now: 9 * second, random: 1) else {
            Issue.record("it is given up too early")
            return
        }
        // The delay would be 1 s. The last try comes when the time is over, and not a moment later.
        guard case .tryAfter(.milliseconds(250), attempt: 3) = state.next(now: 9_750_000_000, random: 1) else {
            Issue.record("what is left of the time is given away")
            return
        }
        guard case .giveUp(let error) = state.next(now: 10 * second, random: 0) else {
            Issue.record("it goes on")
            return
        }
        #expect(error.code == .connectionLost)
    }

    @Test func `a first connect is tried as an outage that has begun`() {
        var state = RecoveryState.connecting(RecoveryPolicy(), canChangeLogin: false, now: 5)
        let isSeenTo = state.seeTo()
        #expect(!isSeenTo && state.outage?.since == 5)
        let goesOn = state.failed(AMQPError(.connectionFailed, "refused"))
        let ends = state.failed(AMQPError(.authenticationFailed, "wrong"))
        #expect(goesOn && !ends)
        guard case .tryAfter(_, attempt: 1) = state.next(now: 5, random: 0) else {
            Issue.record("it is not tried")
            return
        }
    }
}
