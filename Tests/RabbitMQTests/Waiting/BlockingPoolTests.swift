import Dispatch
import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("the pool for what blocks", .timeLimit(.minutes(1)))
struct BlockingPoolTests {
    @Test func `runs no more at a time than it may, in order, and has no threads when all is done`() async throws {
        let pool = BlockingPool("test.pool", most: 3, linger: .milliseconds(10))
        let gate = DispatchSemaphore(value: 0)
        let begun = Collected<Int>()
        for number in 0..<10 {
            try pool.start {
                begun.add(number)
                gate.wait()
            }
        }
        try await eventually("three run") { begun.count == 3 }
        #expect(pool.threadCount == 3)
        for _ in 0..<10 { gate.signal() }
        try await eventually("all have run") { begun.count == 10 }
        #expect(begun.all.sorted() == Array(0..<10))
        try await eventually("no thread is left") { pool.threadCount == 0 }
        try pool.start { begun.add(10) }
        try await eventually("it runs again") { begun.count == 11 }
    }

    @Test func `uses its threads again`() async throws {
        let pool = BlockingPool("test.pool", most: 20, linger: .seconds(100))
        let ran = Collected<Int>()
        for number in 0..<20 {
            try pool.start { ran.add(number) }
            try await eventually("it has run") { ran.count == number + 1 }
        }
        // One that has just run may not be idle yet when the next comes.
        #expect(pool.threadCount < 20)
    }
}

@Suite("looking up names", .timeLimit(.minutes(1)))
struct NameLookupTests {
    private struct Lookup {
        let asked = Collected<String>()
        let gate = DispatchSemaphore(value: 0)
        let pool = BlockingPool("test.lookup", most: 2, linger: .zero)
        let lookup: NameLookup

        init() {
            lookup = NameLookup(pool: pool) { [asked, gate] host in
                asked.add(host)
                gate.wait()
                return host == "bad" ? .failure(AMQPError(.connectionFailed, "unknown")) : .success([host + "!"])
            }
        }
    }

    @Test func `those who ask for the same name share one lookup`() async throws {
        let test = Lookup()
        let asking = (0..<50).map { _ in Task { try await test.lookup.addresses(of: "a") } }
        let other = Task { try await test.lookup.addresses(of: "bad") }
        try await eventually("both are asked for") { test.asked.count == 2 }
        #expect(test.asked.all.sorted() == ["a", "bad"])
        // Whoever comes after the answer asks anew.
        for _ in 0..<100 { test.gate.signal() }
        for task in asking { #expect(try await within(.seconds(10), "it") { try await task.value } == ["a!"]) }
        #expect(try await thrownError { try await other.value }.message == "unknown")
    }

    @Test func `what is numeric waits for nobody`() async throws {
        let test = Lookup()
        let hanging = (0..<4).map { number in Task { try await test.lookup.addresses(of: "\(number).example") } }
        try await eventually("all threads hang") { test.asked.count == 2 }
        for address in ["127.0.0.1", "::1"] { #expect(try await test.lookup.addresses(of: address) == [address]) }
        // Who gives up while the name waits for a thread has it not looked up.
        for task in hanging { task.cancel() }
        for task in hanging { _ = try await within(.seconds(10), "the end") { await task.result } }
        for _ in 0..<2 { test.gate.signal() }
        try await eventually("no thread is left") { test.pool.threadCount == 0 }
        #expect(test.asked.count == 2)
    }
}
