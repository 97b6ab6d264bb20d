import Testing

@testable import RabbitMQ

@Suite("Who publishes at the moment")
struct ActivePublishersTests {
    @Test func `one waits for those who came before, and not for those who come later`() throws {
        var active = ActivePublishers()
        let nobody = active.waitForAll()
        #expect(nobody == nil)
        let (first, second) = (active.enter(), active.enter())
        let waiting = active.waitForAll()
        let waiter = try #require(waiting)
        let third = active.enter()
        let afterFirst = active.leave(first)
        #expect(afterFirst.isEmpty && active.count == 2)
        let afterSecond = active.leave(second)
        #expect(afterSecond.map { $0 === waiter } == [true])
        let afterThird = active.leave(third)
        #expect(afterThird.isEmpty && active.count == 0)
    }

    @Test func `a later one does not overtake an earlier one that still publishes`() {
        var active = ActivePublishers()
        let first = active.enter()
        let early = active.waitForAll()
        let second = active.enter()
        let late = active.waitForAll()
        let afterSecond = active.leave(second)
        #expect(afterSecond.isEmpty)
        let afterFirst = active.leave(first)
        #expect(
            afterFirst.map { ObjectIdentifier($0) } == [early, late].compactMap { $0.map { ObjectIdentifier($0) } }
        )
    }

    @Test func `who has stopped waiting is forgotten`() {
        var active = ActivePublishers()
        let ticket = active.enter()
        for _ in 0..<100 {
            let waiter = active.waitForAll()
            waiter?.fail(CancellationError())
        }
        let left = active.leave(ticket)
        #expect(left.count == 1)
    }
}
