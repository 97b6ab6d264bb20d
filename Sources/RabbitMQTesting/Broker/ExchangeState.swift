internal import RabbitMQ

/// An exchange of the broker, with the bindings that go out from it.
struct ExchangeState {
    enum Kind: String { case direct, fanout, topic, headers }

    enum Destination: Hashable {
        case queue(String)
        case exchange(String)
    }

    struct Binding: Equatable {
        var destination: Destination
        var routingKey: String
        var arguments: FieldTable
    }

    let name: String
    let kind: Kind
    let durable: Bool
    let autoDelete: Bool
    let isInternal: Bool
    let arguments: FieldTable
    private(set) var bindings: [Binding] = []

    var alternate: String? { arguments["alternate-exchange"]?.stringValue }

    mutating func add(_ binding: Binding) {
        if !bindings.contains(binding) { bindings.append(binding) }
    }

    /// - Returns: Whether one was removed.
    mutating func removeBindings(_ isMeant: (Binding) -> Bool) -> Bool {
        let count = bindings.count
        bindings.removeAll(where: isMeant)
        return bindings.count < count
    }

    /// Where a message goes.
    func destinations(routingKey: String, headers: FieldTable) -> [Destination] {
        switch kind {
        case .fanout: bindings.map(\.destination)
        case .direct: bindings.filter { $0.routingKey == routingKey }.map(\.destination)
        case .topic: bindings.filter { TopicPattern($0.routingKey).matches(routingKey) }.map(\.destination)
        case .headers: bindings.filter { HeadersMatch($0.arguments).accepts(headers) }.map(\.destination)
        }
    }
}
