/// What was declared through a connection.
struct DeclaredTopology: Sendable {
    var exchanges: [Topology.Exchange] = []
    var queues: [QueueIdentity] = []
    var bindings: [Topology.Binding] = []
}
