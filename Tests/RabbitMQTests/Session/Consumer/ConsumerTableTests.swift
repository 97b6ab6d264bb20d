import TestSupport
import Testing

@testable import RabbitMQ

@Suite("a channel's consumers by their tags")
struct ConsumerTableTests {
    private let consumers = UnconnectedConsumers()

    private func find(_ tag: String, in table: inout ConsumerTable) -> Int? {
        Array(tag.utf8).withUnsafeBufferPointer { table.find($0) }
    }

    /// What has the tag: looked for twice, as it is remembered from the first time.
    private func consumer(_ tag: String, in table: inout ConsumerTable) -> Consumer? {
        let first = find(tag, in: &table)
        let second = find(tag, in: &table)
        #expect(first == second, "\(tag)")
        return first.flatMap { table.lanes.intake($0)?.consumer }
    }

    @Test func `tags of every length are found, also those that end alike`() {
        var table = ConsumerTable()
        let tags =
            ["", "0", "00", "100", "\u{0}100"]
            + [4, 7, 8, 9, 12, 15, 16, 17, 24, 255].flatMap { count in
                ["a", "b"].map { String(repeating: $0, count: count - 3) + "100" }
            }
        let all = tags.map { consumers.consumer($0) }
        for consumer in all { table.add(consumer) }
        for _ in 0..<3 {
            for each in all { #expect(consumer(each.tag, in: &table) === each, "\(each.tag)") }
            #expect(find("c100", in: &table) == nil)
            #expect(find(String(repeating: "c", count: 300) + "100", in: &table) == nil)
        }
    }

    @Test(arguments: [
        ("a", "\u{0}a"), ("aaaaaaaaaaaa", "aaaaaaaaaaaaa"), ("12345678", "1234567812345678"), ("ab", "b"),
    ])
    func `a tag is not taken for one that begins and ends like it`(first: String, second: String) {
        for (known, other) in [(first, second), (second, first)] {
            var table = ConsumerTable()
            let knownConsumer = consumers.consumer(known)
            table.add(knownConsumer)
            #expect(consumer(known, in: &table) === knownConsumer)
            #expect(find(other, in: &table) == nil)
            let otherConsumer = consumers.consumer(other)
            table.add(otherConsumer)
            #expect(consumer(other, in: &table) === otherConsumer)
            #expect(consumer(known, in: &table) === knownConsumer)
        }
    }

    @Test func `of thousands each is found`() {
        var table = ConsumerTable()
        let all = (100..<3100).map { consumers.consumer("ctag-\($0)") }
        // Some are looked for while they are few.
        for consumer in all.prefix(5) { table.add(consumer) }
        for each in all.prefix(5) { #expect(consumer(each.tag, in: &table) === each) }
        for consumer in all.dropFirst(5) { table.add(consumer) }
        for each in all { #expect(consumer(each.tag, in: &table) === each) }
        #expect(table.all.count == 3000)
    }

    @Test func `one that has gone is not found, though its lane is another's now`() {
        var table = ConsumerTable()
        let (first, second) = (consumers.consumer("first-100"), consumers.consumer("second-200"))
        let long = consumers.consumer(String(repeating: "long", count: 10))
        for gone in [first, long] {
            let lane = table.add(gone)
            #expect(consumer(gone.tag, in: &table) === gone)
            #expect(table.retire(tag: gone.tag) === gone)
            #expect(table.add(second) == lane)
            #expect(find(gone.tag, in: &table) == nil)
            #expect(consumer(second.tag, in: &table) === second)
            #expect(table.retire(tag: second.tag) === second)
        }
        #expect(table.all.isEmpty)
        #expect(table.retire(tag: second.tag) == nil)
    }

    @Test func `one that has gone is remembered with how it was consumed, until its tag is another's`() {
        var table = ConsumerTable()
        table.add(consumers.consumer("a", noAck: true))
        #expect(table.ended["a"] == nil)
        table.retire(tag: "a")
        #expect(table.ended["a"]?.noAck == true)
        table.add(consumers.consumer("a"))
        #expect(table.ended["a"] == nil)
    }

    @Test func `one that is added twice keeps its lane, and another with its tag takes its place`() {
        var table = ConsumerTable()
        let (first, second) = (consumers.consumer("a"), consumers.consumer("a"))
        let lane = table.add(first)
        #expect(table.add(first) == lane)
        #expect(consumer("a", in: &table) === first)
        table.add(second)
        #expect(consumer("a", in: &table) === second)
        #expect(table.all.count == 1)
    }

    @Test func `the answer to a cancel retires who has cancelled, not a successor with its tag`() {
        var table = ConsumerTable()
        let (first, second) = (consumers.consumer("a"), consumers.consumer("a"))
        table.add(first)
        #expect(table.retireCancelled(tag: "a") == nil)
        first.cancelInBackground()
        table.add(second)
        #expect(table.retireCancelled(tag: "a") == nil)
        table.add(first)
        #expect(table.retireCancelled(tag: "a") === first)
        #expect(table.retireCancelled(tag: "a") == nil)
    }

    @Test func `who tells somebody of the end is told apart from who tells nobody`() {
        var table = ConsumerTable()
        #expect(table.hearing == (false, true))
        table.add(consumers.consumer("iterated"))
        #expect(table.hearing == (true, true))
        table.add(consumers.consumer("silent", callback: { _ in }))
        #expect(table.hearing == (true, false))
        table.retire(tag: "iterated")
        #expect(table.hearing == (false, false))
        table.add(consumers.consumer("told", callback: { _ in }, CallbackPlan(onError: { _ in })))
        #expect(table.hearing == (true, false))
    }

    @Test func `all come out in the end, and nothing is left`() {
        var table = ConsumerTable()
        let all = ["a", "b", "c"].map { consumers.consumer($0) }
        for consumer in all { table.add(consumer) }
        for each in all { #expect(consumer(each.tag, in: &table) === each) }
        #expect(table.removeAll().map(\.tag).sorted() == ["a", "b", "c"])
        #expect(table.all.isEmpty)
        for each in all { #expect(find(each.tag, in: &table) == nil) }
    }
}
