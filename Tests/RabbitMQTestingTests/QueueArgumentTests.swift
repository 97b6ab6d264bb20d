import RabbitMQ
import Testing

@testable import RabbitMQTesting

/// Arguments of queues as RabbitMQ 4.0 takes them or refuses them.
@Suite struct QueueArgumentTests {
    private static let refused: [FieldTable] = [
        ["x-message-ttl": .int32(-1)], ["x-message-ttl": .int64(315_360_000_001)], ["x-message-ttl": .int64(.max)],
        ["x-message-ttl": .uint64(.max)], ["x-message-ttl": "1000"], ["x-expires": 0], ["x-expires": .int64(.max)],
        ["x-max-length": .int32(-1)], ["x-max-length-bytes": .uint64(.max)], ["x-max-priority": 256],
        ["x-overflow": "drop-tail"], ["x-dead-letter-routing-key": "k"], ["x-single-active-consumer": "true"],
        ["x-queue-type": "cubic"], ["x-queue-type": "stream"], ["x-delivery-limit": 3],
        ["x-queue-type": "quorum", "x-max-priority": 3],
    ]

    @Test(arguments: refused)
    func `danger: what can't be is refused`(_ arguments: FieldTable) {
        var client = RawClient()
        client.declareQueue("q", bits: 2, arguments)
        #expect(client.methods().last == "channel.close 406")
        #expect(client.broker.queues.isEmpty)
    }

    private static let taken: [FieldTable] = [
        ["x-message-ttl": 0], ["x-message-ttl": .int64(315_360_000_000)], ["x-expires": .int64(315_360_000_000)],
        ["x-max-length": .int64(.max), "x-max-length-bytes": .int64(.max)], ["x-unheard-of": .int32(-1)],
        ["x-queue-type": "quorum", "x-overflow": "reject-publish-dlx", "x-delivery-limit": .int32(-2)],
    ]

    @Test(arguments: taken)
    func `danger: what can be is taken, and a message too`(_ arguments: FieldTable) {
        var client = RawClient()
        client.declareQueue("q", bits: 2, arguments)
        client.publish(Message(body: [1]), to: "q")
        #expect(client.methods().last == "queue.declare-ok")
    }

    /// Durable 2, exclusive 4, deleting itself 8.
    @Test(arguments: [0, 2 | 4, 2 | 8] as [UInt8])
    func `a quorum queue is durable, for all and there to stay`(bits: UInt8) {
        var client = RawClient()
        client.declareQueue("q", bits: bits, ["x-queue-type": "quorum"])
        #expect(client.methods().last == "channel.close 406")
    }

    @Test func `a quorum queue has a name of its own`() {
        var client = RawClient()
        client.declareQueue("", bits: 2, ["x-queue-type": "quorum"])
        #expect(client.methods().last == "channel.close 406")
    }

    @Test func `a queue that the broker has named is looked for, and not declared again`() {
        var client = RawClient()
        client.declareQueue("")
        let name = client.broker.queues.keys.first ?? ""
        client.declareQueue(name, bits: 1)
        #expect(Array(client.methods().suffix(2)) == ["queue.declare-ok", "queue.declare-ok"])
        client.declareQueue(name)
        #expect(client.methods().last == "channel.close 403")
        #expect(client.broker.queues.count == 1)
    }

    @Test(arguments: ["amq.gen-unknown", "amq.orders"])
    func `names that begin with amq. are the broker's`(name: String) {
        var client = RawClient()
        client.declareQueue(name)
        #expect(client.methods().last == "channel.close 403")
        #expect(client.broker.queues.isEmpty)
    }

    @Test func `to say what goes without saying makes no other queue of it`() {
        var client = RawClient()
        client.declareQueue("q", bits: 2)
        client.declareQueue("q", bits: 2, ["x-queue-type": "classic"])
        client.declareQueue("own", bits: 4)
        client.declareQueue("own", bits: 2 | 4)
        #expect(Array(client.methods().suffix(4)) == [String](repeating: "queue.declare-ok", count: 4))
        client.declareQueue("q", bits: 2, ["x-queue-type": "quorum"])
        #expect(client.methods().last == "channel.close 406")
    }

    @Test(arguments: ["-1", "315360000001", "9223372036854775808", "soon", ""])
    func `danger: a message's own time to live has the same bounds`(_ expiration: String) {
        var client = RawClient()
        client.declareQueue("q")
        client.publish(Message(body: [1], expiration: expiration), to: "q")
        #expect(client.methods().last == "channel.close 406")
        #expect(client.broker.queues["q"]?.ready.isEmpty == true)
    }
}
