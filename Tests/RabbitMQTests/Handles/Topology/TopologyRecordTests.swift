import Testing

@testable import RabbitMQ

@Suite("The record of what a connection declared")
struct TopologyRecordTests {
    private func binding(_ destination: String, _ source: String, _ key: String = "") -> ClientMethod.Binding {
        ClientMethod.Binding(destination: destination, source: source, routingKey: key)
    }

    @Test("entities come in the order in which they were first declared, with their last declaration")
    func order() {
        let record = TopologyRecord()
        for name in ["b", "a", "c"] {
            record.add(ClientMethod.DeclareExchange(name: name, type: "direct"))
            record.add(ClientMethod.DeclareQueue(name: name))
            record.add(binding(name, "b"), to: .queue)
        }
        record.add(ClientMethod.DeclareQueue(name: "b", durable: false))
        record.add(binding("b", "b"), to: .queue)
        #expect(record.exchanges.map(\.name) == ["b", "a", "c"])
        #expect(record.queues.map(\.name) == ["b", "a", "c"])
        #expect(record.queues.map(\.durable) == [false, true, true])
        #expect(record.bindings.map(\.destination) == ["b", "a", "c"])
    }

    @Test("a declaration that is not waited for is added, and replaces none that was")
    func notWaitedFor() {
        let record = TopologyRecord()
        record.add(ClientMethod.DeclareQueue(name: "q"))
        record.add(ClientMethod.DeclareQueue(name: "q", durable: false, noWait: true))
        record.add(ClientMethod.DeclareExchange(name: "e", type: "topic"))
        record.add(ClientMethod.DeclareExchange(name: "e", type: "fanout", noWait: true))
        #expect(record.queues.map(\.durable) == [true])
        #expect(record.exchanges.map(\.type) == ["topic"])
        record.add(ClientMethod.DeclareQueue(name: "r", noWait: true))
        record.add(ClientMethod.DeclareQueue(name: "r", durable: false))
        #expect(record.queues.map(\.durable) == [true, false])
    }

    @Test("passive declarations and names of the broker's are left out")
    func leftOut() {
        let record = TopologyRecord()
        record.add(ClientMethod.DeclareExchange(name: "e", type: "direct", passive: true))
        record.add(ClientMethod.DeclareQueue(name: "q", passive: true))
        record.add(ClientMethod.DeclareQueue(name: ""))
        record.add(ClientMethod.DeclareQueue(name: "amq.rabbitmq.reply-to"))
        record.add(binding("amq.gen-1", "e"), to: .queue)
        #expect(record.exchanges.isEmpty)
        #expect(record.queues.isEmpty)
        #expect(record.bindings.isEmpty)
    }

    @Test("what is deleted leaves, with its bindings on both sides")
    func deleted() {
        let record = TopologyRecord()
        record.add(ClientMethod.DeclareExchange(name: "e", type: "direct"))
        record.add(ClientMethod.DeclareExchange(name: "f", type: "direct"))
        record.add(ClientMethod.DeclareQueue(name: "q"))
        record.add(binding("q", "e"), to: .queue)
        record.add(binding("q", "f"), to: .queue)
        record.add(binding("f", "e"), to: .exchange)
        record.add(binding("e", "f"), to: .exchange)
        record.removeExchange("e")
        #expect(record.exchanges.map(\.name) == ["f"])
        #expect(record.bindings.map(\.source) == ["f"])
        record.removeQueue("q")
        #expect(record.queues.isEmpty)
        #expect(record.bindings.isEmpty)
    }

    @Test("of bindings that differ in key, arguments or kind of destination, only the one meant leaves")
    func unbound() {
        let record = TopologyRecord()
        var withArguments = binding("x", "e", "1")
        withArguments.arguments = ["a": 1]
        record.add(binding("x", "e", "1"), to: .queue)
        record.add(binding("x", "e", "2"), to: .queue)
        record.add(binding("x", "e", "1"), to: .exchange)
        record.add(withArguments, to: .queue)
        record.remove(binding("x", "e", "1"), from: .queue)
        record.remove(binding("y", "e", "1"), from: .queue)
        #expect(record.bindings.map(\.routingKey) == ["2", "1", "1"])
        #expect(record.bindings.map(\.kind) == [.queue, .exchange, .queue])
        #expect(record.bindings.last?.arguments == ["a": 1])
    }

    @Test("of what vanishes by itself only the latest stays; what lasts stays all")
    func bounded() {
        let record = TopologyRecord()
        let limit = TopologyRecord.transientLimit
        record.add(ClientMethod.DeclareExchange(name: "lasting", type: "fanout"))
        for index in 0..<3 * limit {
            let queue = ClientMethod.DeclareQueue(
                name: "q\(index)",
                autoDelete: index % 2 == 0,
                arguments: index % 2 == 0 ? [:] : ["x-expires": 1000]
            )
            record.add(queue)
            record.add(binding(queue.name, "lasting"), to: .queue)
            record.add(ClientMethod.DeclareExchange(name: "e\(index)", type: "fanout", autoDelete: true))
            record.add(binding("e\(index)", "lasting"), to: .exchange)
            if index % 10 == 0 { record.add(ClientMethod.DeclareQueue(name: "lasting\(index)")) }
        }
        let queues = record.queues.map(\.name)
        #expect(queues.count { $0.hasPrefix("lasting") } == 3 * limit / 10)
        #expect(queues.count { $0.hasPrefix("q") } <= limit)
        #expect(queues.last == "q\(3 * limit - 1)")
        #expect(record.exchanges.count <= limit + 1)
        #expect(record.exchanges.first?.name == "lasting")
        #expect(record.bindings.count <= 2 * limit)
        #expect(record.bindings.last?.destination == "e\(3 * limit - 1)")
    }
}
