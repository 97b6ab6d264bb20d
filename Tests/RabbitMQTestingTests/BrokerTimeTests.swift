import RabbitMQ
import Testing

@testable import RabbitMQTesting

/// What a move of the clock does, however far it goes.
@Suite struct BrokerTimeTests {
    private func declare(_ name: String, milliseconds: Int32, to next: String, by client: inout RawClient) {
        client.declareQueue(
            name,
            [
                "x-message-ttl": .int32(milliseconds), "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": .string(next),
            ]
        )
    }

    @Test func `what is due earlier happens earlier, in one move of the clock too`() {
        var client = RawClient()
        client.declareQueue("dead")
        for milliseconds in [50, 10, 40, 20, 30] as [Int32] {
            let name = "q\(milliseconds)"
            declare(name, milliseconds: milliseconds, to: "dead", by: &client)
            client.publish(Message(body: [UInt8(milliseconds)]), to: name)
        }
        client.broker.advance(to: .seconds(1))
        #expect(client.broker.queues["dead"]?.ready.all.map(\.message.body) == [[10], [20], [30], [40], [50]])
    }

    @Test func `a message goes through several queues in one move of the clock`() {
        for steps in [[20], [10, 20], [19, 20]] as [[Int]] {
            var client = RawClient()
            client.declareQueue("dead")
            declare("first", milliseconds: 10, to: "second", by: &client)
            declare("second", milliseconds: 10, to: "dead", by: &client)
            client.publish(Message(body: [1]), to: "first")
            for step in steps.dropLast() {
                client.broker.advance(to: .milliseconds(step))
                #expect(client.broker.queues["second"]?.ready.count == 1)
            }
            client.broker.advance(to: .milliseconds(20))
            #expect(client.broker.queues["dead"]?.ready.count == 1)
            #expect(client.broker.now == .milliseconds(20))
        }
    }

    @Test func `a queue that expires takes along what would expire in it later`() {
        var client = RawClient()
        client.declareQueue("dead")
        client.declareQueue(
            "q",
            [
                "x-expires": 10, "x-message-ttl": 20, "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": "dead",
            ]
        )
        client.publish(Message(body: [1]), to: "q")
        client.broker.advance(to: .seconds(1))
        #expect(client.broker.queues["q"] == nil)
        #expect(client.broker.queues["dead"]?.ready.isEmpty == true)
    }

    @Test func `danger: what would go round for ever ends, however far the clock is moved`() {
        var client = RawClient()
        declare("one", milliseconds: 1, to: "other", by: &client)
        declare("other", milliseconds: 0, to: "one", by: &client)
        client.publish(Message(body: [1]), to: "one")
        client.broker.advance(to: .seconds(1 << 40))
        #expect(client.broker.queues["one"]?.ready.isEmpty == true)
        #expect(client.broker.queues["other"]?.ready.isEmpty == true)
    }
}
