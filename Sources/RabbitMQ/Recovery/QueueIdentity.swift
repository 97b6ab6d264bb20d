internal import Synchronization

/// What a queue is, whatever its name: a queue that the broker named gets another name when it is made again.
final class QueueIdentity: Sendable {
    private let current: Mutex<Topology.Queue>
    /// Whether the broker makes up its name.
    let isServerNamed: Bool

    init(_ queue: Topology.Queue, isServerNamed: Bool = false) {
        current = Mutex(queue)
        self.isServerNamed = isServerNamed
    }

    /// What it was declared as, with its name at present.
    var queue: Topology.Queue { current.withLock { $0 } }

    var name: String { current.withLock { $0.name } }

    func rename(_ name: String) { current.withLock { $0.name = name } }
}
