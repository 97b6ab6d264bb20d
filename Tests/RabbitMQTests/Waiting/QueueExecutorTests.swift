import Dispatch
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("the queue of a link", .timeLimit(.minutes(1)))
struct QueueExecutorTests {
    private let executor = QueueExecutor(label: "test.queue")

    /// A number that any thread counts.
    private final class Tally: Sendable {
        private let number = Atomic<Int>(0)

        var value: Int { number.load(ordering: .sequentiallyConsistent) }

        @discardableResult
        func add(_ change: Int) -> Int { number.add(change, ordering: .sequentiallyConsistent).newValue }

        func raise(to value: Int) { number.max(value, ordering: .sequentiallyConsistent) }
    }

    /// What is counted on the queue only, without a lock.
    private actor Counter {
        nonisolated let executor: QueueExecutor
        nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
        private(set) var count = 0

        init(_ executor: QueueExecutor) { self.executor = executor }

        func increment() { count += 1 }
    }

    /// Has the queue do nothing else until the gate is opened.
    private func hold() -> DispatchSemaphore {
        let gate = DispatchSemaphore(value: 0)
        executor.async { gate.wait() }
        return gate
    }

    @Test func `what it is given runs in that order, one after the other`() async throws {
        let order = Collected<Int>()
        let running = Tally()
        let most = Tally()
        for number in 0..<1000 {
            executor.async {
                most.raise(to: running.add(1))
                order.add(number)
                running.add(-1)
            }
        }
        try await eventually("all have run") { order.count == 1000 }
        #expect(order.all == Array(0..<1000))
        #expect(most.value == 1)
    }

    @Test func `who finds it idle does its work at once, on its own thread`() {
        var thread: pthread_t?
        var isStandIn = false
        let ran = executor.runIfIdle {
            thread = pthread_self()
            isStandIn = executor.isStandIn
        }
        #expect(ran && thread == pthread_self())
        #expect(isStandIn && !executor.isStandIn)
    }

    @Test func `its own threads are no stand-ins`() async throws {
        let seen = Collected<Bool>()
        executor.async { [executor] in seen.add(executor.isStandIn) }
        try await eventually("it has run") { seen.count == 1 }
        #expect(seen.all == [false])
    }

    @Test func `nobody stands in while it has something to do`() async throws {
        let gate = hold()
        #expect(!executor.runIfIdle { Issue.record("beside the work of the queue") })
        executor.async {}
        gate.signal()
        try await eventually("it is idle") { executor.runIfIdle {} }
    }

    @Test func `what comes for it while another thread stands in waits for that one`() async throws {
        let inside = Tally()
        let found = Collected<Bool>()
        let ran = executor.runIfIdle {
            inside.add(1)
            executor.async { found.add(inside.value > 0) }
            // What must not come has some time to come.
            let end = ContinuousClock.now + .milliseconds(50)
            while found.count == 0, ContinuousClock.now < end {}
            inside.add(-1)
        }
        #expect(ran)
        try await eventually("it has run") { found.count == 1 }
        #expect(found.all == [false])
    }

    @Test func `an actor's jobs, what is given and what stand-ins do exclude one another`() async throws {
        let counter = Counter(executor)
        let lent = Tally()
        let done = Tally()
        await withTaskGroup { group in
            for _ in 0..<4 {
                group.addTask {
                    for _ in 0..<500 {
                        await counter.increment()
                        executor.async {
                            counter.assumeIsolated { $0.increment() }
                            done.add(1)
                        }
                        if executor.runIfIdle({ counter.assumeIsolated { $0.increment() } }) {
                            lent.add(1)
                        }
                    }
                }
            }
        }
        try await eventually("all have run") { done.value == 2000 }
        try await eventually("it was lent") {
            let ran = executor.runIfIdle { counter.assumeIsolated { $0.increment() } }
            if ran { lent.add(1) }
            return ran
        }
        #expect(await counter.count == 4000 + lent.value)
    }
}
