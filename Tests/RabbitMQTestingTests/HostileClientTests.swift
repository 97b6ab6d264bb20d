import RabbitMQ
import Testing

@testable import RabbitMQTesting

/// What the real client never sends, and the broker has to bear in a test's process.
@Suite struct HostileClientTests {
    @Test(arguments: [1, 7, 8, 9, 4095, 131_073, .max, 0] as [UInt32])
    func `danger: a size of frames that can't be is refused, and no message is cut by it`(frameMax: UInt32) {
        var client = RawClient(frameMax: frameMax)
        #expect(client.methods() == ["connection.start", "connection.tune", "connection.close 530"])
        client.declareQueue("q")
        #expect(client.methods().isEmpty && client.broker.queues.isEmpty)
    }

    @Test func `danger: a broker without limits takes any size of frames but those that are too small`() {
        var options = InProcessBroker.Options()
        options.frameMax = 0
        options.channelMax = 0
        var client = RawClient(options, channelMax: 0, frameMax: 0)
        client.declareQueue("q")
        client.consume("q", tag: "t")
        client.publish(Message(body: [UInt8](repeating: 1, count: 300_000)), to: "q")
        #expect(Array(client.methods().suffix(3)) == ["queue.declare-ok", "basic.consume-ok", "basic.deliver"])
        var other = RawClient(options, channelMax: 0, frameMax: 8)
        #expect(other.methods().last == "connection.close 530")
    }

    @Test func `danger: a largest message of fewer than no bytes refuses all but empty ones`() {
        var options = InProcessBroker.Options()
        options.maxMessageSize = -1
        var client = RawClient(options)
        client.declareQueue("q")
        client.publish(Message(body: []), Message(body: [1]), to: "q")
        #expect(client.methods().last == "channel.close 406")
        #expect(client.broker.queues["q"]?.ready.count == 1)
    }

    @Test(arguments: ["3.12.1", "4.0.5"])
    func `danger: a history of deaths that a client makes up can hold any number`(version: String) {
        var options = InProcessBroker.Options()
        options.version = version
        var client = RawClient(options)
        client.declareQueue("dead")
        client.declareQueue("q", ["x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"])
        let made: FieldTable = ["count": .int64(.max), "queue": "q", "reason": "rejected"]
        client.publish(Message(body: [1], headers: ["x-death": .array([.table(made)])]), to: "q")
        client.get("q")
        client.reject(1, requeue: false)
        let counts = client.broker.queues["dead"]?.ready.first?.message.deaths.map { "\($0.count)" }
        // From 4.0 on the broker does not take it for its own.
        #expect(counts == [version == "4.0.5" ? "1" : "\(Int.max)"])
    }

    @Test func `danger: a client whose frames can't be told apart is not waited for, and what it sends is not kept`()
        throws
    {
        var client = RawClient()
        let id = client.connection
        client.broker.receive([UInt8](repeating: 0xFF, count: 7), from: id)
        let last = client.methods().last
        #expect(last == "connection.close 501")
        #expect(client.broker.connections[id]?.end == .close)
        client.broker.receive([UInt8](repeating: 0xFF, count: 100_000), from: id)
        var input = try #require(client.broker.connections[id]?.input)
        let kept = input.takeProtocolHeader()
        #expect(kept == nil)
    }

    @Test func `a client has no more channels than it has asked for`() {
        var client = RawClient(channelMax: 3)
        client.send(20, 10, on: 3) { $0.shortString("") }
        client.send(20, 10, on: 4) { $0.shortString("") }
        #expect(Array(client.methods().suffix(2)) == ["channel.open-ok", "connection.close 530"])
        var greedy = RawClient(channelMax: 2048)
        #expect(greedy.methods().last == "connection.close 530")
    }
}
