internal import Synchronization

/// A binding that the broker has been told to make, and can be told once to remove.
final class MadeBinding: Sendable {
    let binding: Topology.Binding
    private let channel: Channel
    private let isRemoved = Atomic<Bool>(false)

    private init(_ binding: Topology.Binding, _ channel: Channel) {
        self.binding = binding
        self.channel = channel
    }

    /// - Parameter named: What to make, by the names that its ends have at present: a queue that the broker named may get
    ///   another name while this waits for the connection.
    static func make(
        _ named: @autoclosure () -> Topology.Binding,
        from source: Exchange,
        on channel: Channel,
        noWait: Bool
    ) async throws -> MadeBinding {
        try source.requireNotDeleted()
        try source.requireNotDefault()
        let binding = named()
        try binding.arguments.validate()
        try ExchangeRules.checkBind(to: source.name, type: source.type, arguments: binding.arguments.table)
        try await channel.request(named().bind(noWait: noWait), noWait: noWait)
        let made = named()
        channel.connection.topology.add(made)
        return MadeBinding(made, channel)
    }

    func requireNotRemoved() throws(AMQPError) {
        if isRemoved.load(ordering: .relaxed) { throw AMQPError(.deleted, "\(binding) was removed") }
    }

    /// - Parameter destination: What it leads to, by its name at present, if that may become another one.
    func remove(
        from destination: @autoclosure () -> Topology.Binding.Destination? = nil,
        arguments: BindingArguments?,
        noWait: Bool = false
    ) async throws {
        func named() -> Topology.Binding {
            var named = binding
            if let destination = destination() { named.destination = destination }
            if let arguments { named.arguments = arguments }
            return named
        }
        try await channel.request(named().unbind(noWait: noWait), noWait: noWait)
        isRemoved.store(true, ordering: .relaxed)
        channel.connection.topology.remove(named())
    }
}
