#if Tool
internal import RabbitMQ

/// What a broker has, as `rabbitmqctl export_definitions` and the management API write it.
struct Definitions: Decodable {
    struct Exchange: Decodable {
        var name: String
        var vhost: String?
        var type: String
        var durable: Bool
        var autoDelete: Bool
        var `internal`: Bool?
        var arguments: FieldTable?

        private enum CodingKeys: String, CodingKey {
            case name, vhost, type, durable, `internal`, arguments
            case autoDelete = "auto_delete"
        }
    }

    struct Queue: Decodable {
        var name: String
        var vhost: String?
        var durable: Bool
        var autoDelete: Bool
        var arguments: FieldTable?

        private enum CodingKeys: String, CodingKey {
            case name, vhost, durable, arguments
            case autoDelete = "auto_delete"
        }
    }

    struct Binding: Decodable {
        var source: String
        var vhost: String?
        var destination: String
        var destinationType: String
        var routingKey: String
        var arguments: FieldTable?

        private enum CodingKeys: String, CodingKey {
            case source, vhost, destination, arguments
            case destinationType = "destination_type"
            case routingKey = "routing_key"
        }
    }

    var exchanges: [Exchange]?
    var queues: [Queue]?
    var bindings: [Binding]?

    /// Those of one virtual host, without what every broker has and what brokers name.
    func topology(of vhost: String) -> Topology {
        func isOurs(_ place: String?) -> Bool { place == nil || place == vhost }
        return Topology(
            exchanges: (exchanges ?? []).filter { isOurs($0.vhost) && !$0.name.isEmpty && !$0.name.hasPrefix("amq.") }
                .map {
                    Topology.Exchange(
                        $0.name,
                        type: ExchangeType(rawValue: $0.type),
                        durable: $0.durable,
                        autoDelete: $0.autoDelete,
                        internal: $0.internal ?? false,
                        arguments: ExchangeArguments($0.arguments ?? [:])
                    )
                },
            queues: (queues ?? []).filter { isOurs($0.vhost) && !$0.name.hasPrefix("amq.") }
                .map {
                    Topology.Queue(
                        $0.name,
                        durable: $0.durable,
                        autoDelete: $0.autoDelete,
                        arguments: QueueArguments($0.arguments ?? [:])
                    )
                },
            bindings: (bindings ?? [])
                .filter { isOurs($0.vhost) && !$0.source.isEmpty && !$0.destination.hasPrefix("amq.") }
                .map {
                    let arguments = BindingArguments($0.arguments ?? [:])
                    return $0.destinationType == "exchange"
                        ? Topology.Binding(
                            exchange: $0.destination,
                            to: $0.source,
                            routingKey: $0.routingKey,
                            arguments: arguments
                        )
                        : Topology.Binding(
                            queue: $0.destination,
                            to: $0.source,
                            routingKey: $0.routingKey,
                            arguments: arguments
                        )
                }
        )
    }
}
#endif
