import Foundation
import RabbitMQ
import TestSupport
import Testing

@Suite("Plan, apply and export a topology")
struct TopologyTests {
    /// Orders that go to a queue by way of two exchanges; what is rejected goes to another, what is unrouted to a third.
    private struct Example {
        let (orders, routed, failed, unrouted): (String, String, String, String)
        let (queue, dead, lost): (String, String, String)
        let topology: Topology

        init(_ scratch: Scratch) {
            (orders, routed) = (scratch.exchange("orders"), scratch.exchange("routed"))
            (failed, unrouted) = (scratch.exchange("failed"), scratch.exchange("unrouted"))
            (queue, dead, lost) = (scratch.queue("queue"), scratch.queue("dead"), scratch.queue("lost"))
            topology = Topology(
                exchanges: [
                    .init(orders, type: .topic, arguments: ExchangeArguments(alternateExchange: unrouted)),
                    .init(routed, type: .fanout, internal: true),
                    .init(failed),
                    .init(unrouted, type: .fanout),
                ],
                queues: [
                    .init(queue, arguments: QueueArguments(type: .quorum, deadLetterExchange: failed)),
                    .init(dead, autoDelete: true),
                    .init(lost, durable: false, arguments: QueueArguments(maxLength: 10)),
                ],
                bindings: [
                    .init(exchange: routed, to: orders, routingKey: "eu.#"),
                    .init(queue: queue, to: routed),
                    .init(queue: dead, to: failed, routingKey: "eu.paris"),
                    .init(queue: lost, to: unrouted),
                    .init(queue: lost, to: "amq.topic", routingKey: unrouted),
                ]
            )
        }
    }

    @Test("everything is missing, is made, exists; a second time changes nothing")
    func apply() async throws {
        try await Scratch.use { scratch, connection, channel in
            let example = Example(scratch)
            let before = try await example.topology.plan(on: connection)
            #expect(before.exchanges.map(\.state) == Array(repeating: .missing, count: 4))
            #expect(before.queues.map(\.state) == Array(repeating: .missing, count: 3))
            #expect(before.bindings.map(\.state) == Array(repeating: .unknown, count: 5))
            #expect(!before.isComplete)

            for _ in 0..<2 {
                try await example.topology.apply(on: connection)
                let after = try await example.topology.plan(on: connection)
                #expect(after.isComplete)
                #expect(after.conflicts.isEmpty)
            }

            let orders = try channel.exchange(example.orders, type: .topic)
            try await orders.publish(Message("routed"), routingKey: "eu.paris")
            try await orders.publish(Message("unrouted"), routingKey: "us.paris")
            let queue = try channel.queue(example.queue)
            var message: IncomingMessage?
            try await eventually("the routed message") {
                message = try await queue.get()
                return message != nil
            }
            #expect(try message?.message.text() == "routed")
            try message?.reject(requeue: false)
            #expect(try await channel.queue(example.dead).next().message.text() == "routed")
            #expect(try await channel.queue(example.lost).next().message.text() == "unrouted")
        }
    }

    @Test("conflicts are all listed before anything is changed, and harm no channel")
    func conflicts() async throws {
        try await Scratch.use { scratch, connection, channel in
            let example = Example(scratch)
            try await channel.declareExchange(example.orders, type: .direct)
            try await channel.declareExchange(example.routed, type: .fanout, internal: true)
            try await channel.declareQueue(example.lost, durable: false, arguments: QueueArguments(maxLength: 11))
            let numbers = Collected<String>()
            try await channel.queue(example.lost).consume(.noAck) { numbers.add(try $0.message.text()) }

            let plan = try await example.topology.plan(on: connection)
            #expect(plan.exchanges.first { $0.entity.name == example.routed }?.state == .exists)
            #expect(plan.exchanges.first { $0.entity.name == example.failed }?.state == .missing)
            let exchange = plan.exchanges.first { $0.entity.name == example.orders }?.state.conflict
            #expect(exchange?.contains("inequivalent arg 'type'") == true)
            let queue = plan.queues.first { $0.entity.name == example.lost }?.state.conflict
            #expect(queue?.contains("inequivalent arg 'x-max-length'") == true)
            #expect(plan.conflicts.count == 2)

            let error = await expectError(.topologyConflict) { try await example.topology.apply(on: connection) }
            for part in [example.orders, "'type'", example.lost, "'x-max-length'"] {
                #expect(error?.message.contains(part) == true)
            }
            #expect(error?.isChannelFatal == false)
            #expect(try await example.topology.plan(on: connection).queues.first?.state == .missing)

            // The channel that was open all the while, and its consumer, are as they were.
            #expect(channel.closeReason == nil)
            try await channel.send("still there", to: example.lost)
            try await eventually("the consumer to go on") { numbers.all == ["still there"] }
        }
    }

    @Test("a queue that is another connection's own is a conflict; one's own is not")
    func exclusive() async throws {
        try await Scratch.use { scratch, connection, channel in
            let topology = Topology(queues: [.init(scratch.queue(), exclusive: true)])
            try await topology.apply(on: connection)
            #expect(try await topology.plan(on: connection).isComplete)
            try await TestBroker.withConnection { other in
                let plan = try await topology.plan(on: other)
                #expect(plan.conflicts.first?.contains("RESOURCE_LOCKED") == true)
                await expectError(.topologyConflict) { try await topology.apply(on: other) }
            }
        }
    }

    @Test("a binding whose end is neither there nor described is a conflict")
    func missingEnds() async throws {
        try await Scratch.use { scratch, connection, channel in
            let (queue, ghost) = (scratch.queue(), scratch.exchange("ghost"))
            let topology = Topology(
                queues: [.init(queue)],
                bindings: [
                    .init(queue: queue, to: "amq.direct"), .init(queue: queue, to: ghost),
                    .init(queue: ghost, to: "amq.direct"), .init(exchange: ghost, to: "amq.direct"),
                ]
            )
            let plan = try await topology.plan(on: connection)
            #expect(plan.bindings.map { $0.state.conflict != nil } == [false, true, true, true])
            await expectError(.topologyConflict) { try await topology.apply(on: connection) }
            #expect(try await topology.plan(on: connection).queues.map(\.state) == [.missing])
        }
    }

    @Test("a type of exchange that the broker lacks is a conflict, and the connection goes on")
    func unknownType() async throws {
        try await Scratch.use { scratch, connection, channel in
            let topology = Topology(
                exchanges: [
                    .init(scratch.exchange(), type: "x-nonsense"), .init(scratch.exchange(), type: "x-nonsense"),
                    .init(scratch.exchange(), type: .headers),
                ]
            )
            let plan = try await topology.plan(on: connection)
            #expect(plan.exchanges.map { $0.state.conflict?.contains("x-nonsense") } == [true, true, nil])
            await expectError(.topologyConflict) { try await topology.apply(on: connection) }
            #expect(channel.closeReason == nil)
            #expect(connection.closeReason == nil)
        }
    }

    @Test("an invalid description is refused without asking the broker")
    func invalid() async throws {
        try await TestBroker.withConnection { connection in
            let topology = Topology(queues: [.init("amq.forbidden")])
            await expectError(.invalidArgument) { try await topology.plan(on: connection) }
            await expectError(.invalidArgument) { try await topology.apply(on: connection) }
        }
    }

    @Test("on a closed connection the reason is thrown")
    func closed() async throws {
        let topology = Topology(queues: [.init(TestBroker.uniqueName("never"))])
        try await TestBroker.withConnection { connection in
            await connection.close()
            await expectError(.connectionClosed) { try await topology.plan(on: connection) }
            await expectError(.connectionClosed) { try await topology.apply(on: connection) }
        }
    }

    @Test("a cancelled task stops")
    func cancelled() async throws {
        let topology = Topology(queues: [.init(TestBroker.uniqueName("never"))])
        try await TestBroker.withConnection { connection in
            let task = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return try await topology.plan(on: connection)
            }
            await #expect(throws: CancellationError.self) { try await task.value }
        }
    }

    @Test("two connections may apply the same at a time")
    func concurrently() async throws {
        try await Scratch.use { scratch, connection, _ in
            let topology = Example(scratch).topology
            try await TestBroker.withConnection { other in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for connection in [connection, other, connection, other] {
                        group.addTask { try await topology.apply(on: connection) }
                    }
                    try await group.waitForAll()
                }
                let plan = try await topology.plan(on: other)
                #expect(plan.isComplete)
            }
        }
    }

    @Test("what a connection applied it exports, and another makes the same of it")
    func export() async throws {
        try await Scratch.use { scratch, connection, _ in
            let example = Example(scratch)
            try await example.topology.apply(on: connection)
            let exported = connection.exportTopology()
            #expect(Set(exported.exchanges) == Set(example.topology.exchanges))
            #expect(exported.exchanges.map(\.name).firstIndex(of: example.unrouted) == 0)
            #expect(exported.queues == example.topology.queues)
            #expect(Set(exported.bindings) == Set(example.topology.bindings))
            let read = try JSONDecoder().decode(Topology.self, from: JSONEncoder().encode(exported))
            #expect(read == exported)
            try await TestBroker.withConnection { other in
                let plan = try await read.apply(on: other)
                #expect(plan.isComplete)
                #expect(other.exportTopology() == exported)
            }
        }
    }

    @Test("declaring and deleting through handles is recorded, on all channels of the connection")
    func record() async throws {
        try await Scratch.use { scratch, connection, channel in
            #expect(connection.exportTopology() == Topology())
            let second = try await connection.openChannel()
            let exchange = try await channel.declareExchange(scratch.exchange(), type: .topic, autoDelete: false)
            let other = try await second.declareExchange(scratch.exchange(), noWait: true)
            let queue = try await second.declareQueue(scratch.queue(), arguments: ["x-max-length": .int32(5)])
            let unnamed = try await channel.declareQueue(exclusive: true)
            try await unnamed.bind(to: exchange, routingKey: "#")
            let binding = try await queue.bind(to: exchange, routingKey: "a", arguments: ["a": 1])
            try await other.bind(to: exchange, routingKey: "b")
            _ = try await channel.declareQueue(queue.name, passive: true)

            var expected = Topology(
                exchanges: [.init(exchange.name, type: .topic), .init(other.name)],
                queues: [.init(queue.name, arguments: QueueArguments(maxLength: 5))],
                bindings: [
                    .init(queue: queue.name, to: exchange.name, routingKey: "a", arguments: .init(headers: ["a": 1])),
                    .init(exchange: other.name, to: exchange.name, routingKey: "b"),
                ]
            )
            #expect(connection.exportTopology() == expected)
            try await binding.unbind()
            expected.bindings.removeFirst()
            #expect(connection.exportTopology() == expected)
            try await queue.delete()
            try await exchange.delete(ifUnused: false)
            #expect(connection.exportTopology() == Topology(exchanges: [.init(other.name)]))
            // What failed was not declared.
            let third = try await connection.openChannel()
            await expectError(.preconditionFailed) { try await third.declareExchange(other.name, type: .fanout) }
            #expect(connection.exportTopology() == Topology(exchanges: [.init(other.name)]))
        }
    }
}
