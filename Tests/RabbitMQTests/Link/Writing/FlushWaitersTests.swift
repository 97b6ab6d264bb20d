import Testing

@testable import RabbitMQ

@Suite("those who wait for a flush")
struct FlushWaitersTests {
    @Test func `are told in order, each when its own bytes are written`() {
        var waiters = FlushWaiters()
        let all = [10, 10, 25].map { waiters.wait(for: $0) }
        #expect(waiters.take(upTo: 9).isEmpty)
        #expect(waiters.take(upTo: 24).map(ObjectIdentifier.init) == all.prefix(2).map(ObjectIdentifier.init))
        #expect(waiters.count == 1)
        #expect(waiters.removeAll().map(ObjectIdentifier.init) == [ObjectIdentifier(all[2])])
        #expect(waiters.isEmpty)
    }

    @Test func `are forgotten when they stop waiting`() {
        var waiters = FlushWaiters()
        let all = [10, 20].map { waiters.wait(for: $0) }
        waiters.leave(all[0])
        #expect(waiters.take(upTo: 20).map(ObjectIdentifier.init) == [ObjectIdentifier(all[1])])
    }

    @Test func `do not stay when many have stopped waiting while nothing is written`() {
        var waiters = FlushWaiters()
        let last = waiters.wait(for: 1)
        for position in 2...10_000 { waiters.leave(waiters.wait(for: position)) }
        #expect(waiters.count < 200)
        #expect(waiters.removeAll().map(ObjectIdentifier.init) == [ObjectIdentifier(last)])
    }
}
