import Testing

@testable import RabbitMQ

@Suite("Partitions as a value")
struct PartitionsTests {
    @Test func `the number of a key's partition is that of FNV-1a, in each process and each version`() {
        #expect(Partitions.hash("") == 0xCBF2_9CE4_8422_2325)
        #expect(Partitions.hash("a") == 0xAF63_DC4C_8601_EC8C)
        #expect(Partitions.hash("foobar") == 0x8594_4171_F739_67E8)
        let partitions = Partitions("p", count: 7, hashing: .byPublisher)
        #expect(partitions.partition(of: "foobar") == Int(0x8594_4171_F739_67E8 as UInt64 % 7))
        let used = Set((0..<1000).map { partitions.partition(of: "key \($0)") })
        #expect(used == Set(0..<7))
        #expect(partitions.routingKey("foobar") == "\(partitions.partition(of: "foobar"))")
        #expect(Partitions("p", count: 7).routingKey("foobar") == "foobar")
    }

    @Test func `they are an exchange, and quorum queues with one active consumer each`() throws {
        let partitions = Partitions("orders", count: 3)
        let topology = partitions.topology
        try topology.validate()
        #expect(topology.exchanges == [Topology.Exchange("orders", type: .consistentHash)])
        #expect(topology.queues.map(\.name) == ["orders.0", "orders.1", "orders.2"])
        #expect(
            topology.queues.allSatisfy { $0.arguments.type == .quorum && $0.arguments.singleActiveConsumer == true }
        )
        #expect(topology.queues.allSatisfy { $0.arguments.leaderLocator == .balanced })
        #expect(topology.bindings.map(\.routingKey) == ["1", "1", "1"])
        let direct = Partitions("orders", count: 2, hashing: .byPublisher, arguments: QueueArguments(type: .classic))
        try direct.topology.validate()
        #expect(direct.topology.exchanges.map(\.type) == [.direct])
        #expect(direct.topology.bindings.map(\.routingKey) == ["0", "1"])
        #expect(direct.arguments.leaderLocator == nil)
        #expect(Partitions("x", count: 0).count == 1 && Partitions("x", count: .max).count == 1000)
    }

    @Test(
        arguments: [(0, .seconds(1)), (1, .zero), (3, .seconds(-1)), (3, .seconds(1_000_000))] as [(Int, Duration)]
    )
    func `tries that can't be are refused`(attempts: Int, delay: Duration) {
        #expect(throws: AMQPError.self) { try PartitionTries(attempts: attempts, delay: delay) }
    }
}
