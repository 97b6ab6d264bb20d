internal import Synchronization

/// What was declared through a connection's handles and not deleted through them since, in the order of declaring.
///
/// Passive declarations are not in it, nor queues that the broker named: nobody can declare such a name. Of what the
/// broker deletes by itself, which nobody tells us of, it keeps the latest only (``transientLimit``).
final class TopologyRecord: Sendable {
    enum Destination: Hashable, Sendable {
        case queue, exchange
    }

    /// What tells one binding from another (AMQP 0-9-1, section 1.7.2.3).
    struct BindingKey: Hashable, Sendable {
        let kind: Destination
        let destination: String
        let source: String
        let routingKey: String
        let arguments: Table

        init(_ binding: ClientMethod.Binding, _ kind: Destination) {
            self.kind = kind
            destination = binding.destination
            source = binding.source
            routingKey = binding.routingKey
            arguments = binding.arguments
        }
    }

    /// How many exchanges, and how many queues, that the broker may have deleted by itself are kept at most.
    static let transientLimit = 10_000

    private struct End: Hashable {
        let kind: Destination
        let name: String
    }

    /// Entities by what names them, each with its place in the order.
    private struct Entries {
        var exchanges: [String: (order: Int, declaration: ClientMethod.DeclareExchange)] = [:]
        var queues: [String: (order: Int, declaration: ClientMethod.DeclareQueue)] = [:]
        /// By what they lead to, so that a queue takes its bindings with it cheaply.
        var bindings: [End: [BindingKey: Int]] = [:]
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
            let queues = Self.stale(queues.filter(\.value.declaration.isTransient).mapValues(\.order))
            let exchanges = Self.stale(exchanges.filter(\.value.declaration.autoDelete).mapValues(\.order))
            for name in queues { removeQueue(name) }
            removeExchanges(exchanges)
        }

        /// All but the latest.
        private static func stale(_ orders: [String: Int]) -> Set<String> {
            Set(orders.sorted { $0.value < $1.value }.dropLast(TopologyRecord.transientLimit / 2).map(\.key))
        }

        mutating func removeQueue(_ name: String) {
            queues[name] = nil
            bindings[End(kind: .queue, name: name)] = nil
        }

        mutating func removeExchanges(_ names: Set<String>) {
            guard !names.isEmpty else { return }
            for name in names {
                exchanges[name] = nil
                bindings[End(kind: .exchange, name: name)] = nil
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
    /// A declaration that is not waited for may be refused: it doesn't replace one that may have been taken.
    func add(_ declaration: ClientMethod.DeclareExchange) {
        guard !declaration.passive else { return }
        entries.withLock { entries in
            if declaration.noWait, entries.exchanges[declaration.name] != nil { return }
            let order = entries.exchanges[declaration.name]?.order ?? entries.next()
            entries.exchanges[declaration.name] = (order, declaration)
            if declaration.autoDelete { entries.noteTransient() }
        }
    }

    /// Adds a queue, as ``add(_:)-(ClientMethod.DeclareExchange)`` does an exchange.
    func add(_ declaration: ClientMethod.DeclareQueue) {
        guard !declaration.passive, !declaration.name.isEmpty, declaration.name != EntityName.directReplyTo else {
            return
        }
        entries.withLock { entries in
            if declaration.noWait, entries.queues[declaration.name] != nil { return }
            let order = entries.queues[declaration.name]?.order ?? entries.next()
            entries.queues[declaration.name] = (order, declaration)
            if declaration.isTransient { entries.noteTransient() }
        }
    }

    func add(_ binding: ClientMethod.Binding, to kind: Destination) {
        guard kind == .exchange || !EntityName.isServerNamed(binding.destination) else { return }
        let end = End(kind: kind, name: binding.destination)
        let key = BindingKey(binding, kind)
        entries.withLock { entries in
            guard entries.bindings[end]?[key] == nil else { return }
            entries.bindings[end, default: [:]][key] = entries.next()
        }
    }

    func remove(_ binding: ClientMethod.Binding, from kind: Destination) {
        let end = End(kind: kind, name: binding.destination)
        let key = BindingKey(binding, kind)
        entries.withLock { entries in
            entries.bindings[end]?[key] = nil
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

    var exchanges: [ClientMethod.DeclareExchange] {
        entries.withLock { $0.exchanges.values.sorted { $0.order < $1.order }.map(\.declaration) }
    }

    var queues: [ClientMethod.DeclareQueue] {
        entries.withLock { $0.queues.values.sorted { $0.order < $1.order }.map(\.declaration) }
    }

    var bindings: [BindingKey] {
        entries.withLock { entries in
            entries.bindings.values.joined().sorted { $0.value < $1.value }.map(\.key)
        }
    }
}

extension ClientMethod.DeclareQueue {
    /// Whether the broker deletes it by itself, some time.
    fileprivate var isTransient: Bool { autoDelete || arguments["x-expires"] != nil }
}
