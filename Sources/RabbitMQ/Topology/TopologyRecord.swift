internal import Synchronization

/// What was declared through a connection's handles and not deleted through them since, in the order of declaring.
///
/// Passive declarations are not in it, nor queues that the broker named: nobody can declare such a name.
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

        mutating func next() -> Int {
            count += 1
            return count
        }
    }

    private let entries = Mutex(Entries())

    func add(_ declaration: ClientMethod.DeclareExchange) {
        guard !declaration.passive else { return }
        entries.withLock { entries in
            let order = entries.exchanges[declaration.name]?.order ?? entries.next()
            entries.exchanges[declaration.name] = (order, declaration)
        }
    }

    func add(_ declaration: ClientMethod.DeclareQueue) {
        guard !declaration.passive, !declaration.name.isEmpty, declaration.name != EntityName.directReplyTo else {
            return
        }
        entries.withLock { entries in
            let order = entries.queues[declaration.name]?.order ?? entries.next()
            entries.queues[declaration.name] = (order, declaration)
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
        entries.withLock { entries in
            entries.queues[name] = nil
            entries.bindings[End(kind: .queue, name: name)] = nil
        }
    }

    /// Its bindings go with it, on both sides.
    func removeExchange(_ name: String) {
        entries.withLock { entries in
            entries.exchanges[name] = nil
            entries.bindings[End(kind: .exchange, name: name)] = nil
            entries.bindings = entries.bindings.compactMapValues { bindings in
                let left = bindings.filter { $0.key.source != name }
                return left.isEmpty ? nil : left
            }
        }
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
