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

    static func make(
        _ binding: Topology.Binding,
        from source: Exchange,
        on channel: Channel,
        noWait: Bool
    ) async throws -> MadeBinding {
        try source.requireNotDeleted()
        try source.requireNotDefault()
        try binding.arguments.validate()
        try ExchangeRules.checkBind(to: source.name, type: source.type, arguments: binding.arguments.table)
        try await channel.request(binding.bind(noWait: noWait), noWait: noWait)
        channel.connection.topology.add(binding)
        return MadeBinding(binding, channel)
    }

    func requireNotRemoved() throws(AMQPError) {
        if isRemoved.load(ordering: .relaxed) { throw AMQPError(.deleted, "\(binding) was removed") }
    }

    /// - Parameter destination: What it leads to by its name at present, if that may be another one.
    func remove(
        from destination: Topology.Binding.Destination? = nil,
        arguments: BindingArguments?,
        noWait: Bool = false
    ) async throws {
        var named = binding
        if let destination { named.destination = destination }
        if let arguments { named.arguments = arguments }
        try await channel.request(named.unbind(noWait: noWait), noWait: noWait)
        isRemoved.store(true, ordering: .relaxed)
        channel.connection.topology.remove(named)
    }
}
