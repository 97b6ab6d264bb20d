import TestSupport
import Testing

@testable import RabbitMQ

@Suite("RPC without a broker")
struct RPCTests {
    @Test("an error goes over the wire and back, its text cut where it is too long")
    func errors() throws {
        let error = RPCFailure("out-of-tea", "there is none\nleft")
        #expect(RPCFailure(reply: error.reply) == error)
        #expect(error.description == #"out-of-tea: there is none\nleft"#)
        #expect(
            RPCFailure(reply: RPCFailure(.failed, String(repeating: "x", count: 100_000)).reply)?.message.count == 4096
        )
        #expect(RPCFailure(reply: Message(body: [])) == nil)
        #expect(RPCFailure(reply: Message(body: [], headers: ["rpc-error": 1])) == nil)
        #expect(RPCFailure(reply: Message(body: [0xFF], headers: ["rpc-error": "x"]))?.message == "\u{FFFD}")
    }

    @Test("an error of a handler keeps its description; an RPCFailure stays what it is")
    func describing() {
        struct Failure: Error, CustomStringConvertible {
            let description = "no tea"
        }
        #expect(RPCFailure(describing: Failure()) == RPCFailure(.failed, "no tea"))
        #expect(RPCFailure(describing: RPCFailure("busy", "later")) == RPCFailure("busy", "later"))
    }

    @Test("a request says where its reply goes to, and keeps the rest")
    func request() {
        let message = Message(body: [1], headers: ["h": 1], correlationID: "mine", replyTo: "old", messageID: "m")
        let request = message.asRequest("7", timeout: .milliseconds(1500))
        var expected = message
        expected.replyTo = "amq.rabbitmq.reply-to"
        expected.correlationID = "7"
        expected.expiration = "1500"
        #expect(request == expected)
    }

    @Test("each call gets its own result, once; what fits no call is refused")
    func pending() async throws {
        let pending = PendingReplies()
        let first = OneShot<Message>()
        let second = OneShot<Message>()
        let firstID = try pending.add(first)
        let secondID = try pending.add(second)
        for stray in [nil, "", "x", "-1", "99", "\(UInt64.max)0"] as [String?] {
            #expect(!pending.resolve(stray, .success(Message(body: []))))
        }
        #expect(pending.resolve("\(secondID)", .success(Message(body: [2]))))
        #expect(!pending.resolve("\(secondID)", .success(Message(body: [3]))))
        #expect(try await second.value().body == [2])
        pending.remove(firstID)
        #expect(!pending.resolve("\(firstID)", .success(Message(body: [1]))))
        #expect(pending.count == 0)
    }

    @Test("the end fails those that wait and those that come, with the first reason")
    func end() async throws {
        let pending = PendingReplies()
        let reply = OneShot<Message>()
        let id = try pending.add(reply)
        pending.sent(id)
        pending.end(AMQPError(.connectionLost, "gone"))
        pending.end(AMQPError(.channelClosed, "closed"))
        await #expect { try await reply.value() } throws: { ($0 as? AMQPError)?.code == .connectionLost }
        #expect { try pending.add(OneShot()) } throws: { ($0 as? AMQPError)?.code == .connectionLost }
    }

    @Test("a request waits to be sent for as long as its call may take, whatever other publishes may")
    func blocked() async throws {
        let short = Duration.milliseconds(20)
        try await ScriptedPeer.withConnection(configure: { $0.publishTimeout = short }) { peer, connection in
            async let opening = connection.openRPCClient(routingKey: "q")
            try await peer.openChannel()
            _ = try await peer.startConsumer()
            let client = try await opening
            try await peer.send(.connectionBlocked, channel: 0) { $0.shortString("low on memory") }
            try await eventually("blocked") { connection.blockedReason != nil }
            let calling = Task {
                try await withCallTimeout(short) {
                    try await client.call(Message(body: [7]), timeout: .seconds(30))
                }
            }
            // Longer than both of the other times.
            try await Task.sleep(for: .milliseconds(200))
            try await peer.send(.connectionUnblocked, channel: 0)
            #expect(try await peer.expectPublish().body == [7])
            calling.cancel()
            _ = await calling.result
        }
    }
}
