import RabbitMQ
import Testing

@testable import RabbitMQTesting

/// Replies that go to who waits for them, without a queue.
@Suite struct DirectReplyTests {
    /// Waits for replies.
    ///
    /// - Returns: Where they go.
    private func awaitReplies(_ client: inout RawClient) throws -> String {
        client.send(85, 10) { $0.octet(0) }
        client.consume("amq.rabbitmq.reply-to", tag: "t", bits: 2)
        let addresses = client.broker.channels.values.compactMap(\.replyAddress)
        return try #require(addresses.first)
    }

    @Test(arguments: [("3.10.8", true), ("4.1.4", true), ("4.2.0", false)])
    func `a mandatory reply arrives, and before 4.2 it comes back as well`(version: String, comesBack: Bool) throws {
        var options = InProcessBroker.Options()
        options.version = version
        var client = RawClient(options)
        let address = try awaitReplies(&client)
        let before = client.methods()
        client.publish(Message(body: [1]), to: address, mandatory: true)
        let seen = client.methods()
        #expect(before.last == "basic.consume-ok")
        #expect(seen == ["basic.deliver"] + (comesBack ? ["basic.return 312"] : []) + ["basic.ack"])
    }

    @Test(arguments: [("4.1.4", true), ("4.2.0", false)])
    func `a mandatory reply to who is gone comes back before 4.2 alone`(version: String, comesBack: Bool) throws {
        var options = InProcessBroker.Options()
        options.version = version
        var client = RawClient(options)
        let address = try awaitReplies(&client)
        client.send(60, 30) {
            $0.shortString("t")
            $0.octet(0)
        }
        let before = client.methods()
        client.publish(Message(body: [1]), to: address, mandatory: true)
        let seen = client.methods()
        #expect(before.last == "basic.cancel-ok")
        #expect(seen == (comesBack ? ["basic.return 312"] : []) + ["basic.ack"])
    }

    @Test func `a reply that is not mandatory does not come back`() throws {
        var client = RawClient()
        let address = try awaitReplies(&client)
        _ = client.methods()
        client.publish(Message(body: [1]), to: address)
        #expect(client.methods() == ["basic.deliver", "basic.ack"])
    }

    @Test(arguments: ["3.10.8", "4.2.0"])
    func `a mandatory reply to an address that never was comes back`(version: String) {
        var options = InProcessBroker.Options()
        options.version = version
        var client = RawClient(options)
        client.publish(Message(body: [1]), to: "amq.rabbitmq.reply-to.nobody", mandatory: true)
        #expect(client.methods().last == "basic.return 312")
    }
}
