import TestSupport
import Testing

@testable import RabbitMQ

@Suite("those who are told that the broker blocks")
struct BlockingObserversTests {
    private let observers = BlockingObservers()
    private let told = Collected<String>()

    private func observe(_ name: String) -> UInt64? {
        observers.observe(
            BlockingObservers.Observer(
                changed: { [told] in told.add("\(name) \($0 ?? "free")") },
                ended: { [told] in told.add("\(name) ended") }
            )
        )
    }

    @Test func `are told of each change until they leave, and of the end once`() throws {
        let first = try #require(observe("first"))
        observers.tell("disk")
        _ = observe("second")
        observers.remove(first)
        observers.tell(nil)
        observers.end()
        observers.tell("memory")
        observers.end()
        #expect(told.all == ["first disk", "second free", "second ended"])
        #expect(observers.count == 0)
    }

    @Test func `who comes after the end is told so at once`() {
        observers.end()
        #expect(observe("late") == nil)
        #expect(told.all == ["late ended"])
    }
}
