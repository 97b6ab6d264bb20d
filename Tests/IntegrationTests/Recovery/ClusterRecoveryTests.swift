import RabbitMQ
import Synchronization
import TestSupport
import Testing

/// Publishers with `.resend` and consumers with acknowledgements lose nothing of a quorum queue, whichever node goes.
@Suite("Recovery in a cluster", .needsCluster, .serialized, .timeLimit(.minutes(10)))
struct ClusterRecoveryTests {
    /// Publishes and consumes on connections that know all nodes, while nodes go and come; expects every message.
    ///
    /// - Parameter proxies: One before each node, through which to connect; none by default.
    func expectNothingLost(
        _ order: ConnectionConfiguration.Endpoint.Order,
        through proxies: [TCPProxy] = [],
        _ fault: (_ nodes: [OwnBroker], _ queue: String, _ connection: Connection) async throws -> Void
    ) async throws {
        let nodes = try OwnBroker.ClusterNode.allCases.map { try OwnBroker(inCluster: $0) }
        for node in nodes { try await node.start() }
        var configuration = try await nodes[0].configuration
        configuration.endpoints = []
        if proxies.isEmpty {
            for node in nodes { configuration.endpoints += try await node.configuration.endpoints }
        } else {
            configuration.endpoints = proxies.map {
                ConnectionConfiguration.Endpoint(host: "127.0.0.1", port: $0.port)
            }
            // How soon a node is missed of which nothing is heard.
            configuration.heartbeat = .seconds(2)
        }
        configuration.endpointOrder = order
        configuration.recovery = RecoveryPolicy()
        configuration.recovery.unconfirmed = .resend
        configuration.recovery.maxDelay = .seconds(1)
        configuration.publishTimeout = .seconds(60)
        try await Connection.withConnection(configuration) { connection in
            let name = TestBroker.uniqueName("cluster")
            let arguments = QueueArguments(type: .quorum)
            let channel = try await connection.openChannel()
            try await channel.selectConfirms(maxUnconfirmed: 100)
            let queue = try await channel.declareQueue(name, arguments: arguments)
            let consuming = try await connection.openChannel()
            try await consuming.setQos(prefetchCount: 50)
            let seen = Mutex<Set<Int>>([])
            let consumer = try await consuming.declareQueue(name, arguments: arguments).consume { message in
                let number = Int(try message.text()) ?? -1
                seen.withLock { _ = $0.insert(number) }
                try message.ack()
            }
            let isOver = Atomic(false)
            let publishing = Task {
                var receipts: [PublishReceipt] = []
                while !isOver.load(ordering: .relaxed) {
                    receipts.append(try await queue.publish(Message("\(receipts.count)")))
                    try await Task.sleep(for: .milliseconds(1))
                }
                for number in receipts.indices {
                    var receipt = receipts[number]
                    // The broker says so of what it could not hand to a leader that has gone.
                    while await Self.isNacked(receipt) { receipt = try await queue.publish(Message("\(number)")) }
                    try await receipt.confirmed(timeout: .seconds(60))
                }
                return receipts.count
            }
            func more(_ count: Int) async throws {
                let before = seen.withLock { $0.count }
                try await eventually("more come", within: .seconds(90)) { seen.withLock { $0.count } > before + count }
            }
            do {
                try await more(100)
                try await fault(nodes, name, connection)
                try await more(200)
            } catch {
                publishing.cancel()
                throw error
            }
            isOver.store(true, ordering: .relaxed)
            let count = try await publishing.value
            try await eventually("all have come", within: .seconds(60)) { seen.withLock { $0.count } == count }
            #expect(connection.state == .up && channel.isOpen && consuming.isOpen && !consumer.cancelled)
            try await queue.delete(ifUnused: false, ifEmpty: false)
        }
    }

    private static func isNacked(_ receipt: PublishReceipt) async -> Bool {
        do {
            try await receipt.confirmed(timeout: .seconds(60))
            return false
        } catch {
            return (error as? AMQPError)?.code == .nacked
        }
    }

    /// The node that the connection is to, the only one that the cluster has; its process is told with its node.
    func connected(_ nodes: [OwnBroker]) async throws -> OwnBroker {
        let table = try await nodes[0].rabbitmqctl("-q", "list_connections", "--no-table-headers", "pid")
        return try #require(nodes.first { table.contains("rabbitmq-swift-\($0.letter)@localhost") })
    }

    /// The one of these nodes that leads a queue; nil if none of them does, as while a leader is chosen.
    private func leader(of queue: String, among nodes: [OwnBroker]) async throws -> OwnBroker? {
        let node = try #require(nodes.first)
        let table = try await node.rabbitmqctl("-q", "list_queues", "--no-table-headers", "name", "leader")
        let row = table.split(separator: "\n").first { $0.hasPrefix(queue) }
        return nodes.first { row?.hasSuffix("rabbitmq-swift-\($0.letter)@localhost") == true }
    }

    @Test(arguments: [ConnectionConfiguration.Endpoint.Order.listed, .shuffled])
    func `the node that the connection is to is killed`(_ order: ConnectionConfiguration.Endpoint.Order) async throws {
        try await expectNothingLost(order) { nodes, _, connection in
            let node = try await connected(nodes)
            try await node.kill()
            try await eventually("it is on another node", within: .seconds(60)) {
                connection.state == .up && connection.health.lastError != nil
            }
            try await node.start()
        }
    }

    @Test func `the node of the queue's leader is killed`() async throws {
        try await expectNothingLost(.listed) { nodes, queue, _ in
            let found = try await self.leader(of: queue, among: nodes)
            let leader = try #require(found)
            try await leader.kill()
            let others = nodes.filter { $0.letter != leader.letter }
            try await eventually("another one leads", within: .seconds(60)) {
                // Of a node that has lost one of three it may fail, and is asked again.
                (try? await self.leader(of: queue, among: others)) != nil
            }
            try await leader.start()
        }
    }

    @Test(arguments: [ConnectionConfiguration.Endpoint.Order.listed, .shuffled])
    func `one node after the other is restarted`(_ order: ConnectionConfiguration.Endpoint.Order) async throws {
        try await expectNothingLost(order) { nodes, _, _ in
            for node in nodes {
                try await node.stop()
                try await node.start()
            }
        }
    }
}
