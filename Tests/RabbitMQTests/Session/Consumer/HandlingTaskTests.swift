import Testing

@testable import RabbitMQ

@Suite("The task that handles a consumer's messages")
struct HandlingTaskTests {
    private let first = UnconnectedConsumers()
    private let second = UnconnectedConsumers()

    @Test func `knows the tags that it handles by their sessions, and those of whom it is called by`() {
        let (caller, called) = (first.consumer("a"), second.consumer("b"))
        let outer = HandlingTask(caller, within: nil)
        let inner = HandlingTask(called, within: outer)
        #expect(inner.deliveryTags(on: first.session).isEmpty)
        outer.begin(first.message(7, for: caller))
        inner.begin(second.message(3, for: called))
        #expect(inner.deliveryTags(on: first.session) == [7])
        #expect(inner.deliveryTags(on: second.session) == [3])
        #expect(outer.deliveryTags(on: second.session).isEmpty)
        #expect(inner.handles(for: caller) && inner.handles(for: called) && !outer.handles(for: called))
    }

    @Test func `knows both tags where both are of one session`() {
        let (caller, called) = (first.consumer("a"), first.consumer("b"))
        let outer = HandlingTask(caller, within: nil)
        let inner = HandlingTask(called, within: outer)
        outer.begin(first.message(1, for: caller))
        for tag in 2...3 as ClosedRange<UInt64> { inner.begin(first.message(tag, for: called)) }
        #expect(inner.deliveryTags(on: first.session) == [1, 3])
    }
}
