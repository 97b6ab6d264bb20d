import TestSupport
import Testing

@testable import RabbitMQ

@Suite("whether the broker blocks, as it changes")
struct BlockingStateTests {
    private let state = BlockingState()
    private let told = Collected<String>()

    private func observer(_ name: String) -> BlockingState.Observer {
        BlockingState.Observer(
            changed: { [told] in told.add("\(name): \($0 ?? "goes on")") },
            ended: { [told] in told.add("\(name): the end") }
        )
    }

    @Test func `everyone is told of each change, until it is taken away`() throws {
        let first = try #require(state.observe(observer("a")))
        let second = try #require(state.observe(observer("b")))
        #expect(first != second && state.observerCount == 2)
        state.set("memory")
        #expect(state.reason == "memory")
        #expect(told.all.sorted() == ["a: memory", "b: memory"])
        state.remove(first)
        #expect(state.observerCount == 1)
        state.set(nil)
        #expect(state.reason == nil)
        #expect(told.all.dropFirst(2) == ["b: goes on"])
    }

    @Test func `the end is told once, and leaves nobody and no reason`() throws {
        _ = try #require(state.observe(observer("a")))
        state.set("disk")
        state.end()
        #expect(state.reason == nil && state.observerCount == 0)
        state.end()
        #expect(told.all == ["a: disk", "a: the end"])
    }

    @Test func `who comes after the end is told of it, and is not kept`() {
        state.end()
        #expect(state.observe(observer("late")) == nil)
        #expect(told.all == ["late: the end"])
        #expect(state.observerCount == 0)
    }

    @Test func `who is told may take itself away, and look at the reason`() throws {
        let id = Collected<UInt64>()
        let seen = Collected<String?>()
        let observer = BlockingState.Observer(
            changed: { [state] _ in
                for id in id.all { state.remove(id) }
                seen.add(state.reason)
            },
            ended: {}
        )
        id.add(try #require(state.observe(observer)))
        state.set("memory")
        state.set("disk")
        #expect(seen.all == ["memory"])
    }
}
