import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("results that are given once", .timeLimit(.minutes(1)))
struct OneShotTests {
    @Test func `the first result counts, before and after somebody waits`() async throws {
        let early = OneShot<Int>()
        #expect(!early.isSettled)
        #expect(early.succeed(1))
        #expect(!early.succeed(2))
        #expect(!early.fail(CancellationError()))
        #expect(early.isSettled)
        #expect(try await early.value() == 1)
        #expect(try await early.value() == 1)

        let late = OneShot<Int>()
        let waiting = Task { try await late.value() }
        late.fail(AMQPError(.timedOut, "late"))
        let error = try await thrownError { try await waiting.value }
        #expect(error.code == .timedOut)
    }

    @Test func `cancelling the one who waits settles it`() async throws {
        let shot = OneShot<Int>()
        let waiting = Task { try await shot.value() }
        waiting.cancel()
        let result = try await within(.seconds(10), "the end") { await waiting.result }
        #expect(throws: CancellationError.self) { try result.get() }
        #expect(!shot.succeed(1))
        // Also if it was cancelled before.
        let cancelled = Task {
            while !Task.isCancelled { await Task.yield() }
            return try await OneShot<Int>().value()
        }
        cancelled.cancel()
        let second = try await within(.seconds(10), "the end") { await cancelled.result }
        #expect(throws: CancellationError.self) { try second.get() }
    }

    @Test func `two who wait get an error, and neither hangs`() async throws {
        let shot = OneShot<Int>()
        let tasks = (0..<2).map { _ in Task { try await shot.value() } }
        try await eventually("one has failed") {
            shot.succeed(1)
            return true
        }
        for task in tasks { _ = try await within(.seconds(10), "the end") { await task.result } }
    }

    @Test func `result, failure and cancellation race, and exactly one wins`() async throws {
        for _ in 0..<2000 {
            let shot = OneShot<Int>()
            let wins = Counter()
            let waiting = Task { try await shot.value() }
            await withTaskGroup(of: Void.self) { group in
                group.addTask { if shot.succeed(1) { wins.add() } }
                group.addTask { if shot.fail(AMQPError(.timedOut, "")) { wins.add() } }
                group.addTask { waiting.cancel() }
            }
            let result = await waiting.result
            var isCancelled = false
            if case .failure(let error) = result, error is CancellationError { isCancelled = true }
            #expect(wins.count == (isCancelled ? 0 : 1))
        }
    }

    @Test func `a broadcast reaches all who wait, but those who were cancelled`() async throws {
        for round in 0..<200 {
            let broadcast = Broadcast<Int>()
            let tasks = (0..<10).map { _ in Task { try await broadcast.wait() } }
            if round % 2 == 0 { await Task.yield() }
            async let set: Void = { _ = broadcast.set(7) }()
            for task in tasks.prefix(3) { task.cancel() }
            await set
            #expect(!broadcast.set(8))
            #expect(broadcast.current == 7)
            for (index, task) in tasks.enumerated() {
                let result = await task.result
                if index >= 3 { #expect(try result.get() == 7) }
            }
            #expect(try await broadcast.wait() == 7)
        }
    }
}

extension OneShotTests {
    @Test func `who waits for a broadcast though cancelled gets the value, or nothing when the time is up`()
        async throws
    {
        let broadcast = Broadcast<Int>()
        let waiting = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return await broadcast.wait(atMost: .seconds(60))
        }
        let late = await Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return await broadcast.wait(atMost: .milliseconds(20))
        }.value
        #expect(late == nil)
        broadcast.set(7)
        #expect(try await within(.seconds(10), "the value") { await waiting.value } == 7)
        #expect(await broadcast.wait(atMost: .zero) == 7)
    }
}

private final class Counter: Sendable {
    private let value = Atomic<Int>(0)

    var count: Int { value.load(ordering: .relaxed) }

    func add() { value.add(1, ordering: .relaxed) }
}
