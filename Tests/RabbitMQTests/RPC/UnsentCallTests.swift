import TestSupport
import Testing

@testable import RabbitMQ

@Suite("A call whose request waits to be sent", .timeLimit(.minutes(1)))
struct UnsentCallTests {
    @Test func `goes on when the connection is lost, and is sent on the next one`() async throws {
        try await ScriptedClient.run { client in
            let rpc = try await client.connection.openRPCClient(routingKey: "q")
            try await client.broker.session.peer.send(.connectionBlocked, channel: 0) {
                $0.shortString("low on memory")
            }
            try await eventually("blocked") { client.connection.blockedReason != nil }
            let calling = Task { try await rpc.call(Message(body: [7]), timeout: .seconds(30)) }
            try await eventually("it waits") { client.connection.statistics.heldBackPublishers == 1 }
            #expect(rpc.pendingCount == 1)
            try client.broker.session.cut()
            try await client.waitForSession(2)
            try await eventually("it is sent") { try client.broker.session.published.map(\.body) == [[7]] }
            // Nothing was lost with the first connection: its reply may come.
            #expect(rpc.pendingCount == 1)
            // One that was sent is lost with its connection.
            try client.broker.session.cut()
            let error = try await thrownError { try await calling.value }
            #expect(error.code == .outcomeUnknown)
        }
    }

    @Test func `ends at its deadline with what says that no server has run it`() async throws {
        try await ScriptedClient.run { client in
            let rpc = try await client.connection.openRPCClient(routingKey: "q", timeout: .milliseconds(50))
            let session = try client.broker.session
            try await session.peer.send(.connectionBlocked, channel: 0) { $0.shortString("low on memory") }
            try await eventually("blocked") { client.connection.blockedReason != nil }
            let unsent = try await thrownError { try await rpc.call(Message(body: [7])) }
            #expect(unsent.code == .blockedTooLong)
            try await session.peer.send(.connectionUnblocked, channel: 0)
            try await eventually("it goes on") { client.connection.blockedReason == nil }
            let unanswered = try await thrownError { try await rpc.call(Message(body: [8])) }
            #expect(unanswered.code == .timedOut)
            try await eventually("the second is sent alone") { session.published.map(\.body) == [[8]] }
            #expect(rpc.pendingCount == 0)
        }
    }

    @Test(arguments: [.zero, .seconds(-1)] as [Duration])
    func `has no time at all, and says so too`(timeout: Duration) async throws {
        try await ScriptedClient.run { client in
            let rpc = try await client.connection.openRPCClient(routingKey: "q")
            let error = try await thrownError { try await rpc.call(Message(body: [7]), timeout: timeout) }
            #expect(error.code == .blockedTooLong)
            #expect(rpc.pendingCount == 0)
            let unanswered = try await thrownError {
                try await rpc.call(Message(body: [8]), timeout: .milliseconds(50))
            }
            #expect(unanswered.code == .timedOut)
            let session = try client.broker.session
            try await eventually("the second is sent alone") { session.published.map(\.body) == [[8]] }
        }
    }

    @Test func `is not interrupted by what ends before it is sent`() async throws {
        let pending = PendingReplies()
        let lost = AMQPError(.outcomeUnknown, "lost")
        let (early, late) = (OneShot<Message>(), OneShot<Message>())
        let (first, second) = (try pending.add(early), try pending.add(late))
        pending.fail(lost)
        #expect(pending.count == 2 && !early.isSettled && !late.isSettled)
        // Both wait, and one of them is sent on the next session. That ends before anybody can say so.
        try pending.requireReplies()
        pending.sends(first)
        pending.fail(lost)
        #expect(!early.isSettled)
        pending.sent(first)
        #expect(pending.count == 1 && early.isSettled)
        // What was about to be sent, and was not, is sent on a later one.
        pending.sends(second)
        pending.fail(lost)
        pending.sends(second)
        pending.sent(second)
        #expect(pending.count == 1 && !late.isSettled)
        pending.fail(lost)
        await #expect { try await late.value() } throws: { ($0 as? AMQPError)?.code == .outcomeUnknown }
        #expect(pending.count == 0)
    }

    @Test func `has the reason for an end that comes first`() async throws {
        let pending = PendingReplies()
        let (sent, unsent, removed) = (OneShot<Message>(), OneShot<Message>(), OneShot<Message>())
        let (first, second, third) = (try pending.add(sent), try pending.add(unsent), try pending.add(removed))
        pending.end(AMQPError(.channelClosed, "closed"))
        #expect(!sent.isSettled && !unsent.isSettled)
        #expect { try pending.requireReplies() } throws: { ($0 as? AMQPError)?.code == .channelClosed }
        // Where it is sent all the same, its reply can't come.
        pending.sends(first)
        pending.sent(first)
        await #expect { try await sent.value() } throws: { ($0 as? AMQPError)?.code == .channelClosed }
        pending.sent(second)
        #expect(unsent.isSettled)
        // One that is given up is not waited for when it is sent.
        pending.remove(third)
        pending.sends(third)
        pending.sent(third)
        #expect(pending.count == 0 && !removed.isSettled)
    }
}
