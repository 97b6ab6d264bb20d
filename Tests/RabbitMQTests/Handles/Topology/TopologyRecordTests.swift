import Testing

@testable import RabbitMQ

@Suite("The record of what a connection declared")
struct TopologyRecordTests {
    private func binding(_ queue: String, _ source: String, _ key: String = "") -> Topology.Binding {
        Topology.Binding(queue: queue, to: source, routingKey: key)
    }

    private func binding(exchange: String, _ source: String, _ key: String = "") -> Topology.Binding {
        Topology.Binding(exchange: exchange, to: source, routingKey: key)
    }

    @Test("entities come in the order in which they were first declared, with their last declaration")
    func order() {
        let record = TopologyRecord()
        for name in ["b", "a", "c"] {
            record.add(Topology.Exchange(name, type: .direct))
            record.add(Topology.Queue(name))
            record.add(binding(name, "b"))
        }
        record.add(Topology.Queue("b", durable: false))
        record.add(binding("b", "b"))
        #expect(record.topology.exchanges.map(\.name) == ["b", "a", "c"])
        #expect(record.topology.queues.map(\.name) == ["b", "a", "c"])
        #expect(record.topology.queues.map(\.durable) == [false, true, true])
        #expect(record.topology.bindings.map(\.destination.name) == ["b", "a", "c"])
    }

    @Test("a declaration that is not waited for is added, and replaces none that was")
    func notWaitedFor() {
        let record = TopologyRecord()
        record.add(Topology.Queue("q"))
        record.add(Topology.Queue("q", durable: false), isSure: false)
        record.add(Topology.Exchange("e", type: .topic))
        record.add(Topology.Exchange("e", type: .fanout), isSure: false)
        #expect(record.topology.queues.map(\.durable) == [true])
        #expect(record.topology.exchanges.map(\.type) == [.topic])
        record.add(Topology.Queue("r"), isSure: false)
        record.add(Topology.Queue("r", durable: false))
        #expect(record.topology.queues.map(\.durable) == [true, false])
    }

    @Test("names of the broker's are left out")
    func leftOut() {
        let record = TopologyRecord()
        record.add(Topology.Queue("amq.rabbitmq.reply-to"))
        record.add(binding("amq.gen-1", "e"))
        #expect(record.topology == Topology())
    }

    @Test("what is deleted leaves, with its bindings on both sides")
    func deleted() {
        let record = TopologyRecord()
        record.add(Topology.Exchange("e", type: .direct))
        record.add(Topology.Exchange("f", type: .direct))
        record.add(Topology.Queue("q"))
        record.add(binding("q", "e"))
        record.add(binding("q", "f"))
        record.add(binding(exchange: "f", "e"))
        record.add(binding(exchange: "e", "f"))
        record.removeExchange("e")
        #expect(record.topology.exchanges.map(\.name) == ["f"])
        #expect(record.topology.bindings.map(\.source) == ["f"])
        record.removeQueue("q")
        #expect(record.topology.queues.isEmpty)
        #expect(record.topology.bindings.isEmpty)
    }

    @Test("of bindings that differ in key, arguments or kind of destination, only the one meant leaves")
    func unbound() {
        let record = TopologyRecord()
        var withArguments = binding("x", "e", "1")
        withArguments.arguments = ["a": 1]
        record.add(binding("x", "e", "1"))
        record.add(binding("x", "e", "2"))
        record.add(binding(exchange: "x", "e", "1"))
        record.add(withArguments)
        record.remove(binding("x", "e", "1"))
        record.remove(binding("y", "e", "1"))
        #expect(record.topology.bindings.map(\.routingKey) == ["2", "1", "1"])
        #expect(record.topology.bindings.map(\.destination.isExchange) == [false, true, false])
        #expect(record.topology.bindings.last?.arguments == ["a": 1])
    }

    @Test("of what vanishes by itself only the latest stays; what lasts stays all")
    func bounded() {
        let record = TopologyRecord()
        let limit = TopologyRecord.transientLimit
        record.add(Topology.Exchange("lasting", type: .fanout))
        for index in 0..<3 * limit {
            let queue = Topology.Queue(
                "q\(index)",
                autoDelete: index % 2 == 0,
                arguments: index % 2 == 0 ? [:] : ["x-expires": 1000]
            )
            record.add(queue)
            record.add(binding(queue.name, "lasting"))
            record.add(Topology.Exchange("e\(index)", type: .fanout, autoDelete: true))
            record.add(binding(exchange: "e\(index)", "lasting"))
            if index % 10 == 0 { record.add(Topology.Queue("lasting\(index)")) }
        }
        let queues = record.topology.queues.map(\.name)
        #expect(queues.count { $0.hasPrefix("lasting") } == 3 * limit / 10)
        #expect(queues.count { $0.hasPrefix("q") } <= limit)
        #expect(queues.last == "q\(3 * limit - 1)")
        #expect(record.topology.exchanges.count <= limit + 1)
        #expect(record.topology.exchanges.first?.name == "lasting")
        #expect(record.topology.bindings.count <= 2 * limit)
        #expect(record.topology.bindings.last?.destination.name == "e\(3 * limit - 1)")
    }

    // MARK: What is made again

    private func named(_ name: String, autoDelete: Bool = false) -> QueueIdentity {
        QueueIdentity(Topology.Queue(name, exclusive: true, autoDelete: autoDelete), isServerNamed: true)
    }

    @Test func `a queue that the broker names anew takes its bindings with it, and is in no export`() {
        let record = TopologyRecord()
        let identity = named("amq.gen-1")
        record.add(identity)
        record.add(Topology.Queue("q"))
        record.add(binding("amq.gen-1", "e", "1"))
        record.add(binding("q", "e", "2"))
        record.add(binding("amq.gen-1", "e", "3"))
        record.rename(identity, to: "amq.gen-2")
        #expect(identity.name == "amq.gen-2")
        #expect(record.everything.queues.map(\.name) == ["amq.gen-2", "q"])
        #expect(record.everything.queues.first === identity)
        #expect(record.everything.bindings.map(\.destination.name) == ["amq.gen-2", "q", "amq.gen-2"])
        #expect(record.everything.bindings.map(\.routingKey) == ["1", "2", "3"])
        #expect(record.topology.queues.map(\.name) == ["q"])
        #expect(record.topology.bindings.map(\.routingKey) == ["2"])
        // To the same name, nothing changes.
        record.rename(identity, to: "amq.gen-2")
        #expect(record.everything.queues.count == 2 && record.everything.bindings.count == 3)
        record.removeQueue("amq.gen-2")
        #expect(record.everything.queues.map(\.name) == ["q"] && record.everything.bindings.count == 1)
    }

    @Test func `a queue that the broker named goes with whoever holds it`() {
        let record = TopologyRecord()
        var held = [named("amq.gen-0")]
        record.add(held[0])
        for index in 1...200 {
            let identity = named("amq.gen-\(index)")
            record.add(identity)
            record.add(binding(identity.name, "e"))
            if index % 100 == 0 { held.append(identity) }
        }
        #expect(record.everything.queues.map(\.name) == ["amq.gen-0", "amq.gen-100", "amq.gen-200"])
        #expect(record.everything.bindings.count < 140)
        held = []
        #expect(record.everything.queues.isEmpty)
    }

    @Test func `a queue that deletes itself goes with its last consumer, others stay`() {
        let record = TopologyRecord()
        let identity = named("amq.gen-1", autoDelete: true)
        record.add(identity)
        record.add(Topology.Queue("deletes", autoDelete: true))
        record.add(Topology.Queue("stays"))
        for name in ["amq.gen-1", "deletes", "stays"] { record.add(binding(name, "e")) }
        for name in ["amq.gen-1", "deletes", "stays", "unknown"] { record.consumersLeft(name) }
        #expect(record.everything.queues.map(\.name) == ["stays"])
        #expect(record.everything.bindings.map(\.destination.name) == ["stays"])
    }

    @Test func `an exchange that deletes itself goes with its last binding`() {
        let record = TopologyRecord()
        record.add(Topology.Exchange("deletes", type: .direct, autoDelete: true))
        record.add(Topology.Exchange("stays", type: .direct))
        for source in ["deletes", "stays"] {
            record.add(binding("q", source, "1"))
            record.add(binding("r", source, "2"))
        }
        record.remove(binding("q", "deletes", "1"))
        #expect(record.everything.exchanges.map(\.name) == ["deletes", "stays"])
        for source in ["deletes", "stays"] { record.remove(binding("r", source, "2")) }
        record.remove(binding("q", "stays", "1"))
        #expect(record.everything.exchanges.map(\.name) == ["stays"])
        #expect(record.everything.bindings.isEmpty)
    }
}
