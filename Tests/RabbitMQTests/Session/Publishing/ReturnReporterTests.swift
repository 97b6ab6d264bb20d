import TestSupport
import Testing

@testable import RabbitMQ

@Suite("Those who get returned messages", .timeLimit(.minutes(1)))
struct ReturnReporterTests {
    private func sendReturns(_ peer: ScriptedPeer, _ count: Int) async throws {
        for _ in 0..<count {
            try await peer.send(.basicReturn) {
                $0.short(312)
                $0.shortString("NO_ROUTE")
                $0.shortString("")
                $0.shortString("k")
            }
            try await peer.send(.header(channel: 1, bodySize: 1), .body(channel: 1, [1]))
        }
    }

    @Test("what was left of the returned messages when the loop was left counts no more")
    func leaving() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            func takeOne() async throws {
                let returned = channel.returnedMessages
                try await sendReturns(peer, 5)
                for await _ in returned {
                    try await eventually("four wait") {
                        connection.link.gauge.waitingBytes == 4 * (1 + 256)
                    }
                    break
                }
            }
            try await takeOne()
            try await eventually("nothing waits") { connection.link.gauge.waitingBytes == 0 }
        }
    }

    @Test("a task that is cancelled leaves nothing counted")
    func cancelling() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let taking = Task { [returned = channel.returnedMessages] in
                for await _ in returned { while !Task.isCancelled { await Task.yield() } }
            }
            try await sendReturns(peer, 3)
            try await eventually("two wait") { connection.link.gauge.waitingBytes == 2 * (1 + 256) }
            taking.cancel()
            await taking.value
            try await eventually("nothing waits") { connection.link.gauge.waitingBytes == 0 }
        }
    }

    @Test("the channel's end ends the sequence behind what has come, and leaves nothing counted")
    func end() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let returned = channel.returnedMessages
            try await sendReturns(peer, 3)
            try await peer.sendClose(.channelClose, channel: 1, code: 404, text: "gone")
            try await peer.expect(.channelCloseOk)
            var count = 0
            for await _ in returned { count += 1 }
            #expect(count == 3)
            #expect(connection.link.gauge.waitingBytes == 0)
        }
    }

    @Test("one that comes behind the end leaves nothing counted")
    func late() throws {
        let consumers = UnconnectedConsumers()
        let (returns, gauge) = (consumers.session.returns, consumers.session.link.gauge)
        returns.end()
        let returned = ReturnedMessage(
            replyCode: .noRoute,
            replyText: "NO_ROUTE",
            exchangeName: "",
            routingKey: "k",
            message: try Message("x")
        )
        returns.report(returned, hasReceipt: false)
        #expect(gauge.waitingBytes == 0)
        withExtendedLifetime(consumers) {}
    }

    @Test("a handler is let go of when the channel has ended, and one set later is not kept")
    func handler() async throws {
        final class Held: Sendable {}
        try await ScriptedPeer.withChannel { peer, _, channel in
            weak var first: Held?
            weak var second: Held?
            func setHandler() -> Held {
                let held = Held()
                channel.setReturnHandler { _ in _ = held }
                return held
            }
            first = setHandler()
            #expect(first != nil)
            let closing = Task { await channel.close() }
            try await peer.expect(.channelClose)
            try await peer.send(.channelCloseOk)
            await closing.value
            try await eventually("the handler is gone") { first == nil }
            second = setHandler()
            #expect(second == nil)
        }
    }
}
