/// What the client tells the broker about itself (AMQP 0-9-1, section 1.4.2.2).
enum ClientProperties {
    /// The library's version.
    static let version = "0.9.0"

    /// What RabbitMQ is told that this client can do: it sends some methods only to clients that announce them.
    private static let capabilities: FieldTable = [
        "authentication_failure_close": true,
        "basic.nack": true,
        "connection.blocked": true,
        "consumer_cancel_notify": true,
        "exchange_exchange_bindings": true,
        "publisher_confirms": true,
    ]

    static func table(_ configuration: ConnectionConfiguration) -> FieldTable {
        var table: FieldTable = [
            "product": "rabbitmq-swift",
            "version": .string(version),
            "platform": "Swift",
            "capabilities": .table(capabilities),
        ]
        if let name = configuration.connectionName { table["connection_name"] = .string(name) }
        return table.merging(configuration.clientProperties) { ours, theirs in
            if case .table(let ours) = ours, case .table(let theirs) = theirs {
                return .table(ours.merging(theirs) { $1 })
            }
            return theirs
        }
    }
}
