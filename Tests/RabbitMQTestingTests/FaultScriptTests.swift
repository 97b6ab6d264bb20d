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
}
