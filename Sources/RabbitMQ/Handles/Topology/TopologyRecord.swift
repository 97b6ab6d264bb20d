internal import Synchronization

/// What was declared through a connection's handles and not deleted through them since, in the order of declaring.
///
/// Passive declarations are not in it, nor queues that the broker named: nobody can declare such a name. Of what the
/// broker deletes by itself, which nobody tells us of, it keeps the latest only (``transientLimit``).
final class TopologyRecord: Sendable {
    /// How many exchanges, and how many queues, that the broker may have deleted by itself are kept at most.
    static let transientLimit = 10_000

    /// Entities by what names them, each with its place in the order.
    private struct Entries {
        var exchanges: [String: (order: Int, value: Topology.Exchange)] = [:]
        var queues: [String: (order: Int, value: Topology.Queue)] = [:]
        /// By what they lead to, so that a queue takes its bindings with it cheaply.
        var bindings: [Topology.Binding.Destination: [Topology.Binding: Int]] = [:]
        private var count = 0
        /// How many of what may vanish were added since the last pruning.
        private var fresh = 0

        mutating func next() -> Int {
            count += 1
            return count
        }

        mutating func noteTransient() {
            fresh += 1
            guard fresh > TopologyRecord.transientLimit / 2 else { return }
            fresh = 0
            let queues = Self.stale(queues.filter(\.value.value.isTransient).mapValues(\.order))
            let exchanges = Self.stale(exchanges.filter(\.value.value.autoDelete).mapValues(\.order))
            for name in queues { removeQueue(name) }
            removeExchanges(exchanges)
        }

        /// All but the latest.
        private static func stale(_ orders: [String: Int]) -> Set<String> {
            Set(orders.sorted { $0.value < $1.value }.dropLast(TopologyRecord.transientLimit / 2).map(\.key))
        }

        mutating func removeQueue(_ name: String) {
            queues[name] = nil
            bindings[.queue(name)] = nil
        }

        mutating func removeExchanges(_ names: Set<String>) {
            guard !names.isEmpty else { return }
            for name in names {
                exchanges[name] = nil
                bindings[.exchange(name)] = nil
            }
            bindings = bindings.compactMapValues { bindings in
                let left = bindings.filter { !names.contains($0.key.source) }
                return left.isEmpty ? nil : left
            }
        }
    }

    private let entries = Mutex(Entries())

    /// Adds an exchange, in place of what was declared by its name before.
    ///
    /// - Parameter isSure: Whether the broker has it. A declaration that was not waited for may be refused: it doesn't
    ///   replace one that may have been taken.
    func add(_ exchange: Topology.Exchange, isSure: Bool = true) {
        entries.withLock { entries in
            let known = entries.exchanges[exchange.name]
            if !isSure, known != nil { return }
            entries.exchanges[exchange.name] = (known?.order ?? entries.next(), exchange)
            if exchange.autoDelete { entries.noteTransient() }
        }
    }

    /// Adds a queue, as ``add(_:isSure:)`` does an exchange.
    func add(_ queue: Topology.Queue, isSure: Bool = true) {
        guard queue.name != EntityName.directReplyTo else { return }
        entries.withLock { entries in
            let known = entries.queues[queue.name]
            if !isSure, known != nil { return }
            entries.queues[queue.name] = (known?.order ?? entries.next(), queue)
            if queue.isTransient { entries.noteTransient() }
        }
    }

    func add(_ binding: Topology.Binding) {
        let end = binding.destination
        guard end.isExchange || !EntityName.isServerNamed(end.name) else { return }
        entries.withLock { entries in
            guard entries.bindings[end]?[binding] == nil else { return }
            entries.bindings[end, default: [:]][binding] = entries.next()
        }
    }

    func remove(_ binding: Topology.Binding) {
        let end = binding.destination
        entries.withLock { entries in
            entries.bindings[end]?[binding] = nil
            if entries.bindings[end]?.isEmpty == true { entries.bindings[end] = nil }
        }
    }

    func removeQueue(_ name: String) {
        entries.withLock { $0.removeQueue(name) }
    }

    /// Its bindings go with it, on both sides.
    func removeExchange(_ name: String) {
        entries.withLock { $0.removeExchanges([name]) }
    }

    // MARK: Looking

    var topology: Topology {
        entries.withLock { entries in
            Topology(
                exchanges: entries.exchanges.values.sorted { $0.order < $1.order }.map(\.value),
                queues: entries.queues.values.sorted { $0.order < $1.order }.map(\.value),
                bindings: entries.bindings.values.joined().sorted { $0.value < $1.value }.map(\.key)
            )
        }
    }
}

extension Topology.Queue {
    /// Whether the broker deletes it by itself, some time.
    fileprivate var isTransient: Bool { autoDelete || arguments.table["x-expires"] != nil }
}
