import RabbitMQ
import TestSupport
import Testing

/// A node that neither the others nor its clients hear any more, and that goes on.
///
/// Without namespaces and rights: its proxy passes nothing, and it has another cookie for the other nodes, so that no
/// connection between them comes about, from either side.
extension ClusterRecoveryTests {
    private static func cut(_ node: OwnBroker) async throws {
        try await node.rabbitmqctl(
            "eval",
            "[begin erlang:set_cookie(N, cut), erlang:disconnect_node(N) end || N <- nodes()]."
        )
    }

    /// Has a node hear the others again. It starts anew: what it did alone is not to count.
    private static func heal(_ node: OwnBroker, among nodes: [OwnBroker]) async throws {
        for other in nodes where other.letter != node.letter {
            let name = "'rabbitmq-swift-\(other.letter)@localhost'"
            try await node.rabbitmqctl("eval", "erlang:set_cookie(\(name), erlang:get_cookie()).")
        }
        try await node.stop()
        try await node.start()
    }

    private static func isHeard(_ node: OwnBroker, by other: OwnBroker) async throws -> Bool {
        try await other.rabbitmqctl("eval", "nodes().").contains("rabbitmq-swift-\(node.letter)@localhost")
    }

    @Test(arguments: [true, false])
    func `the network of a node is cut, and comes back`(isConnected: Bool) async throws {
        var proxies: [TCPProxy] = []
        defer { for proxy in proxies { proxy.stop() } }
        for node in OwnBroker.ClusterNode.allCases {
            let port = try await OwnBroker(inCluster: node).configuration.port
            proxies.append(try TCPProxy(target: port))
        }
        try await expectNothingLost(.listed, through: proxies) { [proxies] nodes, _, connection in
            // The node of the connection leads the queue, too: it was declared there.
            let home = try await connected(nodes)
            let other = try #require(nodes.last { $0.letter != home.letter })
            let node = isConnected ? home : other
            let others = nodes.filter { $0.letter != node.letter }
            let index = try #require(nodes.firstIndex { $0.letter == node.letter })
            proxies[index].pause()
            do {
                try await Self.cut(node)
                try await eventually("the others have left it", within: .seconds(60)) {
                    try await !Self.isHeard(node, by: others[0])
                }
                if isConnected {
                    try await eventually("the connection is to another one", within: .seconds(60)) {
                        connection.state == .up && connection.health.lastError != nil
                    }
                }
                // So long it lasts, while messages flow.
                try await Task.sleep(for: .seconds(5))
                #expect(isConnected || connection.health.lastError == nil)
            } catch {
                proxies[index].resume()
                try? await Self.heal(node, among: nodes)
                throw error
            }
            proxies[index].cut()
            proxies[index].resume()
            try await Self.heal(node, among: nodes)
            try await eventually("the others have it again", within: .seconds(60)) {
                try await Self.isHeard(node, by: others[0])
            }
        }
    }
}
