import RabbitMQ
import Testing

@testable import RabbitMQTesting

/// What clients see in orders that the real one never sends in, or that it could not see for sure.
@Suite struct BrokerValueTests {
    @Test(arguments: [true, false])
    func `what a deleted queue had does not go to another one of its name`(requeue: Bool) {
        var client = RawClient()
        client.declareQueue("dead")
        let arguments: FieldTable = ["x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"]
        client.declareQueue("q", arguments)
        client.publish(Message(body: [1]), to: "q")
        client.get("q")
        client.deleteQueue("q")
        client.declareQueue("q", arguments)
        client.publish(Message(body: [2]), to: "q")
        client.reject(1, requeue: requeue)
        #expect(client.broker.queues["q"]?.ready.all.map(\.message.body) == [[2]])
        #expect(client.broker.queues["q"]?.unsettledCount == 0)
        #expect(client.broker.queues["dead"]?.ready.isEmpty == true)
    }

    @Test func `what a cancelled consumer had does not count for another one of its tag`() {
        var client = RawClient()
        client.declareQueue("q")
        client.setQos(1)
        client.consume("q", tag: "t")
        client.publish(Message(body: [1]), Message(body: [2]), Message(body: [3]), to: "q")
        client.send(60, 30) {
            $0.shortString("t")
            $0.octet(0)
        }
        client.consume("q", tag: "t")
        client.ack(1)
        #expect(client.methods().count { $0 == "basic.deliver" } == 2)
        #expect(client.broker.queues["q"]?.ready.count == 1)
    }

    @Test func `a channel's limit is for consumers, and not for what is asked for`() {
        var client = RawClient()
        client.declareQueue("q")
        client.setQos(1, global: true)
        client.publish(Message(body: [1]), Message(body: [2]), Message(body: [3]), to: "q")
        client.get("q")
        client.consume("q", tag: "t")
        #expect(Array(client.methods().suffix(3)) == ["basic.get-ok", "basic.consume-ok", "basic.deliver"])
        // It holds back who does not acknowledge, too.
        client.consume("q", tag: "u", bits: 2)
        #expect(client.methods() == ["basic.consume-ok"])
        client.ack(2)
        #expect(client.methods() == ["basic.deliver"])
    }

    @Test(arguments: [("4.2.9", 1), ("4.3.0", 2)])
    func `from 4.3 on a limit for a whole channel is one for each consumer`(_ version: String, _ delivered: Int) {
        var options = InProcessBroker.Options()
        options.version = version
        var client = RawClient(options)
        client.declareQueue("q")
        client.publish(Message(body: [1]), Message(body: [2]), Message(body: [3]), to: "q")
        client.setQos(1, global: true)
        client.consume("q", tag: "t")
        client.consume("q", tag: "u")
        let methods = client.methods()
        #expect(methods.contains("basic.qos-ok"))
        #expect(methods.count { $0 == "basic.deliver" } == delivered)
    }

    @Test func `a limit for each consumer lifts the one for the whole channel`() {
        var client = RawClient()
        client.declareQueue("q")
        client.publish(Message(body: [1]), Message(body: [2]), Message(body: [3]), to: "q")
        client.setQos(1, global: true)
        client.consume("q", tag: "t")
        let limited = client.methods().count { $0 == "basic.deliver" }
        client.setQos(1)
        let lifted = client.methods().count { $0 == "basic.deliver" }
        #expect(limited == 1 && lifted == 2)
    }

    @Test func `a quorum queue has no limit for a whole channel`() {
        var client = RawClient()
        client.declareQueue("q", bits: 2, ["x-queue-type": "quorum"])
        client.setQos(1, global: true)
        client.consume("q", tag: "t")
        #expect(client.methods().last == "connection.close 540")
    }

    @Test func `a consumer that waits takes each message before the next one comes`() {
        var client = RawClient()
        client.declareQueue("q", ["x-max-length": 1, "x-overflow": "reject-publish"])
        client.consume("q", tag: "t", bits: 2)
        client.send(85, 10) { $0.octet(0) }
        client.publish(Message(body: [1]), Message(body: [2]), Message(body: [3]), to: "q")
        let seen = client.methods()
        #expect(seen.count { $0 == "basic.deliver" } == 3)
        #expect(seen.count { $0 == "basic.ack" } == 3)
    }

    @Test(arguments: ["reject-publish", "reject-publish-dlx"])
    func `a queue that refuses what is new keeps what comes back, beyond its limit too`(overflow: String) {
        var client = RawClient()
        client.declareQueue("q", ["x-max-length": 1, "x-overflow": .string(overflow)])
        client.publish(Message(body: [1]), to: "q")
        client.get("q")
        client.publish(Message(body: [2]), to: "q")
        client.reject(1, requeue: true)
        #expect(client.broker.queues["q"]?.ready.all.map(\.message.body) == [[1], [2]])
    }

    @Test func `a single active consumer stays so, whatever the priority of who comes later`() {
        var client = RawClient()
        client.declareQueue("q", ["x-single-active-consumer": true])
        client.consume("q", tag: "first")
        client.consume("q", tag: "low", ["x-priority": 1])
        client.consume("q", tag: "high", ["x-priority": 5])
        var seen: [String] = []
        for _ in 0..<3 {
            client.publish(Message(body: [1]), to: "q")
            guard let delivery = client.received().last(where: { $0.method == "basic.deliver" }) else { break }
            var reader = WireReader(delivery.fields)
            let tag = (try? reader.shortString()) ?? ""
            seen.append(tag)
            client.send(60, 30) {
                $0.shortString(tag)
                $0.octet(0)
            }
        }
        #expect(seen == ["first", "high", "low"])
        client.consume("q", tag: "exclusive", bits: 4)
        #expect(client.methods().last == "channel.close 403")
    }

    @Test func `a message does not expire behind one of a higher priority`() {
        var client = RawClient()
        client.declareQueue("q", ["x-max-priority": 5])
        client.publish(Message(body: [0], expiration: "10"), Message(body: [5], priority: 5), to: "q")
        client.broker.advance(to: .milliseconds(20))
        #expect(client.broker.queues["q"]?.ready.all.map(\.message.body) == [[5], [0]])
        client.get("q")
        client.broker.advance(to: .milliseconds(20))
        #expect(client.broker.queues["q"]?.ready.isEmpty == true)
    }

    @Test(arguments: [1, 2] as [UInt8])
    func `a quorum queue is deleted without conditions only`(bits: UInt8) {
        var client = RawClient()
        client.declareQueue("q", bits: 2, ["x-queue-type": "quorum"])
        client.deleteQueue("q", bits: bits)
        #expect(client.methods().last == "connection.close 540")
        #expect(client.broker.queues["q"] != nil)
    }

    @Test func `nobody asks a quorum queue with a single active consumer for messages`() {
        var client = RawClient()
        client.declareQueue("q", bits: 2, ["x-queue-type": "quorum", "x-single-active-consumer": true])
        client.get("q")
        #expect(client.methods().last == "channel.close 405")
    }

    @Test func `a consumer's priority is a number, and its tag its own`() {
        var client = RawClient()
        client.declareQueue("q")
        client.consume("q", tag: "t", ["x-priority": "high"])
        #expect(client.methods().last == "channel.close 406")
        for queues in [["q", "amq.rabbitmq.reply-to"], ["amq.rabbitmq.reply-to", "q"]] {
            var other = RawClient()
            other.declareQueue("q")
            for queue in queues { other.consume(queue, tag: "t", bits: 2) }
            #expect(other.methods().last == "connection.close 530")
        }
    }
}
