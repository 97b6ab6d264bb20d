/// What a broker has of a ``Topology``, and what it lacks.
///
/// Printed, it is a list of everything with its state:
///
/// ```text
/// exists: the exchange orders
/// missing: the queue orders.eu
/// conflict: the queue orders.us: PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'orders.us' ...
/// unknown, will be ensured: the binding of the queue orders.eu to the exchange orders by "eu.#"
/// ```
public struct TopologyPlan: Sendable {
    /// What a broker has of one entity.
    public struct State: Hashable, Sendable {
        enum Kind: Hashable, Sendable {
            case exists, missing, unknown, conflict
        }

        let kind: Kind

        /// What is in the way, in the broker's words; nil unless there is a conflict.
        public let conflict: String?

        /// It exists as it is described.
        public static let exists = State(kind: .exists, conflict: nil)
        /// It does not exist.
        public static let missing = State(kind: .missing, conflict: nil)
        /// AMQP has no way to ask whether a binding exists; making it again changes nothing.
        public static let unknown = State(kind: .unknown, conflict: nil)

        static func conflict(_ error: AMQPError) -> State { State(kind: .conflict, conflict: error.message) }
    }

    /// An entity, and what the broker has of it.
    public struct Step<Entity: Sendable>: Sendable {
        /// The entity, as it is described.
        public let entity: Entity
        /// What the broker has.
        public let state: State
    }

    /// The exchanges, in the order in which they are made: an alternate exchange before those that name it.
    public internal(set) var exchanges: [Step<Topology.Exchange>] = []

    /// The queues.
    public internal(set) var queues: [Step<Topology.Queue>] = []

    /// The bindings, in the order in which they are made: queues' before exchanges', so that what is let in finds its
    /// way out. Their state is ``State/unknown``, or a conflict where an end does not exist and is not described.
    public internal(set) var bindings: [Step<Topology.Binding>] = []

    /// What can't be made because it exists otherwise, or can't be used: in words, with the broker's.
    public var conflicts: [String] {
        lines.compactMap { entity, state in state.conflict.map { "\(entity): \($0)" } }
    }

    /// Whether the broker has all exchanges and queues as they are described.
    public var isComplete: Bool {
        lines.allSatisfy { $0.state == .exists || $0.state == .unknown }
    }

    private var lines: [(entity: String, state: State)] {
        exchanges.map { ("\($0.entity)", $0.state) } + queues.map { ("\($0.entity)", $0.state) }
            + bindings.map { ("\($0.entity)", $0.state) }
    }
}

extension TopologyPlan.State: CustomStringConvertible {
    /// The state in words, without what is in the way.
    public var description: String {
        switch kind {
        case .exists: "exists"
        case .missing: "missing"
        case .unknown: "unknown, will be ensured"
        case .conflict: "conflict"
        }
    }
}

extension TopologyPlan: CustomStringConvertible {
    /// A line for each exchange, queue and binding.
    public var description: String {
        lines.map { entity, state in "\(state): \(entity)" + (state.conflict.map { ": \($0)" } ?? "") }
            .joined(separator: "\n")
    }
}
