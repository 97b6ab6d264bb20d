import RabbitMQ
import Testing

@testable import RabbitMQTesting

/// What the faults do in the broker, frame by frame.
@Suite struct FaultScriptTests {
    private static let all: [Fault] = [
        .ignore, .nack, .returned(), .freeze, .cut, .reset, .closeChannel(.internalError), .closeConnection(),
    ]

    @Test(arguments: all)
    func `danger: a fault that comes with each delivery ends`(_ fault: Fault) {
        var client = RawClient()
        client.declareQueue("q")
        client.broker.script.add(fault, at: .delivery(), skipping: 0, times: .max)
        client.publish(Message(body: [1]), Message(body: [2]), to: "q")
        client.consume("q", tag: "t")
        let queue = client.broker.queues["q"]
        let isDelivered = ([.ignore, .nack, .returned(), .freeze] as [Fault]).contains(fault)
        #expect(queue?.ready.count == (isDelivered ? 0 : 2) && queue?.unsettledCount == (isDelivered ? 2 : 0))
    }

    @Test(arguments: [.nack, .returned()] as [Fault], [.method("queue.declare"), .frame(5)] as [FaultOccasion])
    func `a fault of messages changes nothing of what else is asked for`(_ fault: Fault, _ occasion: FaultOccasion) {
        var client = RawClient()
        client.broker.script.add(fault, at: occasion, skipping: 0, times: 1)
        client.declareQueue("q")
        let last = client.methods().last
        #expect(last == "queue.declare-ok" && client.broker.script.isEmpty)
    }

    @Test func `a channel's end changes nothing of what is asked for without a channel`() {
        var client = RawClient()
        for method in ["connection.update-secret", "channel.open"] {
            client.broker.script.add(.closeChannel(.internalError), at: .method(method), skipping: 0, times: 1)
        }
        client.send(10, 70, on: 0)
        client.send(20, 10, on: 2) { $0.shortString("") }
        let methods = Array(client.methods().suffix(2))
        #expect(methods == ["connection.update-secret-ok", "channel.open-ok"])
    }

    @Test func `a delivery that is ignored is lost on its way, and comes again when its channel ends`() {
        var client = RawClient()
        client.declareQueue("q")
        client.broker.script.add(.ignore, at: .delivery(from: "q"), skipping: 0, times: 1)
        client.consume("q", tag: "t")
        client.publish(Message(body: [1]), Message(body: [2]), to: "q")
        #expect(client.methods().count { $0 == "basic.deliver" } == 1)
        #expect(client.broker.queues["q"]?.unsettledCount == 2)
        client.send(20, 40) {
            $0.short(200)
            $0.shortString("")
            $0.long(0)
        }
        #expect(client.broker.queues["q"]?.ready.all.map(\.message.body) == [[1], [2]])
    }

    @Test func `what settles a message is about the queue that it came from`() {
        var client = RawClient()
        for queue in ["one", "other"] {
            client.declareQueue(queue)
            client.publish(Message(body: [1]), to: queue)
        }
        for method in ["basic.ack", "basic.reject"] {
            client.broker.script.add(.ignore, at: .method(method, "other"), skipping: 0, times: 1)
        }
        client.get("one")
        client.get("other")
        client.ack(1)
        client.ack(2)
        #expect(client.broker.queues["one"]?.unsettledCount == 0)
        #expect(client.broker.queues["other"]?.unsettledCount == 1)
        client.reject(2, requeue: true)
        #expect(client.broker.script.isEmpty)
        client.reject(2, requeue: true)
        #expect(client.broker.queues["other"]?.ready.count == 1)
    }

    @Test func `a message that can't be refused, for want of confirms, is stored`() {
        var client = RawClient()
        client.declareQueue("q")
        client.broker.script.add(.nack, at: .publish(), skipping: 0, times: 1)
        client.publish(Message(body: [1]), to: "q")
        let seen = confirms(&client)
        #expect(seen.isEmpty)
        #expect(client.broker.queues["q"]?.ready.all.map(\.message.body) == [[1]])
    }

    /// What the broker says of published messages, such as `ack 2 multiple`.
    private func confirms(_ client: inout RawClient) -> [String] {
        client.received().compactMap { received in
            var reader = WireReader(received.fields)
            guard ["basic.ack", "basic.nack"].contains(received.method), let number = try? reader.longLong() else {
                return nil
            }
            let multiple = (try? reader.octet()) == 1 ? " multiple" : ""
            return "\(received.method) \(number)\(multiple)"
        }
    }

    @Test func `confirms together leave out what was ignored`() {
        var client = RawClient()
        client.declareQueue("q")
        client.send(85, 10) { $0.octet(0) }
        client.broker.script.add(.nack, at: .publish(), skipping: 2, times: 1)
        client.broker.script.add(.ignore, at: .publish(), skipping: 2, times: 1)
        client.broker.holdsConfirms = true
        for body in 1...7 { client.publish(Message(body: [UInt8(body)]), to: "q") }
        client.broker.releaseConfirms(.together, count: .max, nacks: false)
        let seen = confirms(&client)
        #expect(seen == ["basic.ack 2 multiple", "basic.nack 3 multiple", "basic.ack 5", "basic.ack 6", "basic.ack 7"])
        client.publish(Message(body: [8]), to: "q")
        client.broker.releaseConfirms(.together, count: .max, nacks: false)
        let last = confirms(&client)
        #expect(last == ["basic.ack 8"])
    }

    @Test func `a message that freezes its connection is counted`() {
        var client = RawClient()
        client.declareQueue("q")
        client.send(85, 10) { $0.octet(0) }
        client.broker.script.add(.freeze, at: .publish(), skipping: 0, times: 1)
        client.publish(Message(body: [1]), Message(body: [2]), to: "q")
        client.broker.connections[client.connection]?.isFrozen = false
        client.broker.process(client.connection)
        let seen = confirms(&client)
        #expect(seen == ["basic.ack 2"])
        #expect(client.broker.queues["q"]?.ready.all.map(\.message.body) == [[2]])
    }

    @Test func `what is cut is not frozen any more`() {
        var client = RawClient()
        client.broker.drop(client.connection)
        client.broker.freeze(client.connection)
        // Frozen, its end would not be written before it is thawed.
        #expect(client.broker.connections[client.connection]?.isFrozen == false)
    }
}
