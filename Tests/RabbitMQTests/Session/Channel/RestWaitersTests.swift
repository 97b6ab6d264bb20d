import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("who waits until a channel is at rest", .timeLimit(.minutes(1)))
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

    @Test func `forgets who waits no longer, and nobody else`() {
        var waiters = RestWaiters()
        let first = waiters.join(.confirmed(upTo: 1))
        let second = waiters.join(.confirmed(upTo: 1))
        waiters.leave(first)
        let left = waiters.takeAll()
        #expect(left.count == 1 && left.first === second)
    }

    @Test func `leaves nothing behind where it is cancelled`() async throws {
        try await ScriptedClient.run([ScriptedClient.script { $0.confirms = false }]) { client in
            let channel = client.channel
            try await channel.selectConfirms()
            try await channel.defaultExchange.publish(Message(body: [1]), routingKey: "q")
            let session = channel.core.session
            let waiting = Task { try await session.waitForConfirms() }
            try await eventually("it waits") { session.state.withLock { $0.rest.isAwaited } }
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
            #expect(!session.state.withLock { $0.rest.isAwaited })
            try await client.broker.session.confirmAll()
        }
    }
}
