import Testing

@testable import RabbitMQ

@Suite("who waits until a channel is at rest")
struct RestWaitersTests {
    @Test func `is told of the kind that is at rest, once, and in order`() {
        var waiters = RestWaiters()
        #expect(!waiters.isAwaited)
        let first = waiters.join(.confirmed(upTo: 3))
        let settled = waiters.join(.settled(butFor: [7]))
        let second = waiters.join(.confirmed(upTo: 5))
        #expect(waiters.isAwaited)
        let confirmed = waiters.take { kind in if case .confirmed(let last) = kind { last <= 5 } else { false } }
        #expect(confirmed.count == 2 && confirmed.first === first && confirmed.last === second)
        let again = waiters.take { kind in if case .confirmed = kind { true } else { false } }
        #expect(again.isEmpty)
        #expect(waiters.isAwaited)
        let rest = waiters.takeAll()
        #expect(rest.count == 1 && rest.first === settled)
        #expect(!waiters.isAwaited)
    }

    @Test func `goes on waiting for what has not come`() {
        var waiters = RestWaiters()
        _ = waiters.join(.confirmed(upTo: 9))
        let early = waiters.take { kind in if case .confirmed(let last) = kind { last < 9 } else { true } }
        #expect(early.isEmpty)
        #expect(waiters.isAwaited)
    }
}
