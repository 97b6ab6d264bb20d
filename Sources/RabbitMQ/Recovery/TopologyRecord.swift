internal import Synchronization

/// What was declared through a connection's handles and not deleted through them since, in the order of declaring.
///
/// Passive declarations are not in it. Queues that the broker named are, as long as somebody holds one, with the name that
/// they have at present. Of what the broker deletes by itself, which nobody tells us of, it keeps the latest only
/// (``transientLimit``).
final class TopologyRecord: Sendable {
    /// How many exchanges, and how many queues, that the broker may have deleted by itself are kept at most.
    static let transientLimit = 10_000

    /// How many of the names are kept at most that one queue had before. It gets another with each recovery.
    static let formerNamesLimit = 100

    /// A queue that the broker named.
    private struct NamedQueue {
        let order: Int
        weak var identity: QueueIdentity?
        /// The names that it had before, in order.
        var formerNames: [String] = []
    }

    /// Entities by what names them, each with its place in the order.
    private struct Entries {
        var exchanges: [String: (order: Int, value: Topology.Exchange)] = [:]
        var queues: [String: (order: Int, value: Topology.Queue)] = [:]
        /// Those that the broker named, by their names at present.
        var named: [String: NamedQueue] = [:]
        /// The same by the names that they had before, to which something may be on its way.
        var formerlyNamed: [String: NamedQueue] = [:]
        /// When to look for those that nobody holds any more.
        var nextSweep = 64
        /// By what they lead to, so that a queue takes its bindings with it cheaply.
        var bindings: [Topology.Binding.Destination: [Topology.Binding: Int]] = [:]
        /// The same by where they lead from, so that an exchange takes its own with it as cheaply.
        private var bySource: [String: Set<Topology.Binding>] = [:]
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
            for former in named.removeValue(forKey: name)?.formerNames ?? [] { formerlyNamed[former] = nil }
            removeBindings(to: .queue(name))
        }

        mutating func add(_ binding: Topology.Binding, order: Int? = nil) {
            guard bindings[binding.destination]?[binding] == nil else { return }
            bindings[binding.destination, default: [:]][binding] = order ?? next()
            bySource[binding.source, default: []].insert(binding)
        }

        mutating func remove(_ binding: Topology.Binding) {
            bindings[binding.destination]?[binding] = nil
            if bindings[binding.destination]?.isEmpty == true { bindings[binding.destination] = nil }
            bySource[binding.source]?.remove(binding)
            if bySource[binding.source]?.isEmpty == true { bySource[binding.source] = nil }
        }

        private mutating func removeBindings(to end: Topology.Binding.Destination) {
            guard let left = bindings[end] else { return }
            for binding in left.keys { remove(binding) }
            removeUnbound(Set(left.keys.map(\.source)))
        }

        /// Exchanges that delete themselves do so when their last binding goes.
        mutating func removeUnbound(_ sources: Set<String>) {
            removeExchanges(sources.filter { bySource[$0] == nil && exchanges[$0]?.value.autoDelete == true })
        }

        mutating func sweepNamed() {
            guard named.count + formerlyNamed.count >= nextSweep else { return }
            for (name, queue) in named where queue.identity == nil { removeQueue(name) }
            formerlyNamed = formerlyNamed.filter { $0.value.identity != nil }
            nextSweep = max(64, 2 * (named.count + formerlyNamed.count))
        }

        func sortedBindings(_ isIncluded: (Topology.Binding.Destination) -> Bool) -> [Topology.Binding] {
            bindings.filter { isIncluded($0.key) }.values.joined().sorted { $0.value < $1.value }.map(\.key)
        }

        mutating func removeExchanges(_ names: Set<String>) {
            guard !names.isEmpty else { return }
            for name in names {
                exchanges[name] = nil
                for binding in bySource[name] ?? [] { remove(binding) }
            }
            for name in names { removeBindings(to: .exchange(name)) }
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

    /// Adds a queue that the broker named.
    func add(_ identity: QueueIdentity) {
        let name = identity.name
        entries.withLock { entries in
            entries.sweepNamed()
            entries.named[name] = NamedQueue(order: entries.next(), identity: identity)
        }
    }

    /// The queue that the broker has given this name, if somebody holds it.
    func identity(named name: String) -> QueueIdentity? { entries.withLock { $0.named[name]?.identity } }

    /// The broker has given a queue another name: its bindings follow.
    func rename(_ identity: QueueIdentity, to name: String) {
        let old = identity.name
        identity.rename(name)
        entries.withLock { entries in
            entries.sweepNamed()
            if var queue = entries.named.removeValue(forKey: old) {
                entries.formerlyNamed[old] = NamedQueue(order: queue.order, identity: queue.identity)
                queue.formerNames.append(old)
                if queue.formerNames.count > Self.formerNamesLimit {
                    entries.formerlyNamed[queue.formerNames.removeFirst()] = nil
                }
                entries.named[name] = queue
            }
            for (binding, order) in entries.bindings[.queue(old)] ?? [:] {
                entries.remove(binding)
                var binding = binding
                binding.destination = .queue(name)
                entries.add(binding, order: order)
            }
        }
    }

    /// How many names are kept that queues had before.
    var formerNamesCount: Int { entries.withLock { $0.formerlyNamed.count } }

    /// The name that a queue has at present; nil unless the broker has named it, and given it another name since.
    func currentName(of name: String) -> String? {
        entries.withLock { entries in
            entries.formerlyNamed.isEmpty ? nil : entries.formerlyNamed[name]?.identity?.name
        }
    }

    /// The last consumer has left a queue, which is gone with that if it deletes itself.
    func consumersLeft(_ name: String) {
        entries.withLock { entries in
            let queue = entries.queues[name]?.value ?? entries.named[name]?.identity?.queue
            if queue?.autoDelete == true { entries.removeQueue(name) }
        }
    }

    func add(_ binding: Topology.Binding) {
        entries.withLock { $0.add(binding) }
    }

    func remove(_ binding: Topology.Binding) {
        entries.withLock { entries in
            entries.remove(binding)
            entries.removeUnbound([binding.source])
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

    /// All that anybody can declare: without queues that the broker named.
    var topology: Topology {
        entries.withLock { entries in
            Topology(
                exchanges: entries.exchanges.values.sorted { $0.order < $1.order }.map(\.value),
                queues: entries.queues.values.sorted { $0.order < $1.order }.map(\.value),
                bindings: entries.sortedBindings { end in
                    end.isExchange || entries.named[end.name] == nil && !EntityName.isServerNamed(end.name)
                }
            )
        }
    }

    /// All of it, in the order of declaring within each kind.
    var everything: DeclaredTopology {
        entries.withLock { entries in
            var queues = entries.queues.values.map { ($0.order, QueueIdentity($0.value)) }
            queues += entries.named.values.compactMap { queue in queue.identity.map { (queue.order, $0) } }
            return DeclaredTopology(
                exchanges: entries.exchanges.values.sorted { $0.order < $1.order }.map(\.value),
                queues: queues.sorted { $0.0 < $1.0 }.map(\.1),
                bindings: entries.sortedBindings { _ in true }
            )
        }
    }
}

extension Topology.Queue {
    /// Whether the broker deletes it by itself, some time.
    fileprivate var isTransient: Bool { autoDelete || arguments.table["x-expires"] != nil }
}
