// Written out, so that what is left out of a file that people write has its default.

extension Topology: Codable {
    private enum CodingKeys: String, CodingKey {
        case exchanges, queues, bindings
    }

    /// Reads a description, in which each of the three lists may be missing.
    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            exchanges: try fields.decodeIfPresent([Exchange].self, forKey: .exchanges) ?? [],
            queues: try fields.decodeIfPresent([Queue].self, forKey: .queues) ?? [],
            bindings: try fields.decodeIfPresent([Binding].self, forKey: .bindings) ?? []
        )
    }

    /// Writes everything.
    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(exchanges, forKey: .exchanges)
        try fields.encode(queues, forKey: .queues)
        try fields.encode(bindings, forKey: .bindings)
    }
}

extension Topology.Exchange: Codable {
    private enum CodingKeys: String, CodingKey {
        case name, type, durable, autoDelete, `internal`, arguments
    }

    /// Reads an exchange, of which all but the name may be missing.
    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            try fields.decode(String.self, forKey: .name),
            type: try fields.decodeIfPresent(String.self, forKey: .type).map { ExchangeType(rawValue: $0) } ?? .direct,
            durable: try fields.decodeIfPresent(Bool.self, forKey: .durable) ?? true,
            autoDelete: try fields.decodeIfPresent(Bool.self, forKey: .autoDelete) ?? false,
            internal: try fields.decodeIfPresent(Bool.self, forKey: .internal) ?? false,
            arguments: ExchangeArguments(try fields.decodeTable(.arguments))
        )
    }

    /// Writes everything.
    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(name, forKey: .name)
        try fields.encode(type.rawValue, forKey: .type)
        try fields.encode(durable, forKey: .durable)
        try fields.encode(autoDelete, forKey: .autoDelete)
        try fields.encode(`internal`, forKey: .internal)
        try fields.encodeTable(arguments.table, .arguments)
    }
}

extension Topology.Queue: Codable {
    private enum CodingKeys: String, CodingKey {
        case name, durable, exclusive, autoDelete, arguments
    }

    /// Reads a queue, of which all but the name may be missing.
    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            try fields.decode(String.self, forKey: .name),
            durable: try fields.decodeIfPresent(Bool.self, forKey: .durable) ?? true,
            exclusive: try fields.decodeIfPresent(Bool.self, forKey: .exclusive) ?? false,
            autoDelete: try fields.decodeIfPresent(Bool.self, forKey: .autoDelete) ?? false,
            arguments: QueueArguments(try fields.decodeTable(.arguments))
        )
    }

    /// Writes everything.
    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(name, forKey: .name)
        try fields.encode(durable, forKey: .durable)
        try fields.encode(exclusive, forKey: .exclusive)
        try fields.encode(autoDelete, forKey: .autoDelete)
        try fields.encodeTable(arguments.table, .arguments)
    }
}

extension Topology.Binding: Codable {
    private enum CodingKeys: String, CodingKey {
        case queue, exchange, source, routingKey, arguments
    }

    /// Reads a binding: a source and, as `queue` or as `exchange`, a destination; the rest may be missing.
    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        let destination: Destination =
            if let queue = try fields.decodeIfPresent(String.self, forKey: .queue) {
                .queue(queue)
            } else {
                .exchange(try fields.decode(String.self, forKey: .exchange))
            }
        self.init(
            destination,
            to: try fields.decode(String.self, forKey: .source),
            routingKey: try fields.decodeIfPresent(String.self, forKey: .routingKey) ?? "",
            arguments: BindingArguments(try fields.decodeTable(.arguments))
        )
    }

    /// Writes everything.
    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(destination.name, forKey: destination.isExchange ? .exchange : .queue)
        try fields.encode(source, forKey: .source)
        try fields.encode(routingKey, forKey: .routingKey)
        try fields.encodeTable(arguments.table, .arguments)
    }
}

extension KeyedDecodingContainer {
    fileprivate func decodeTable(_ key: Key) throws -> FieldTable {
        try decodeIfPresent(FieldTable.self, forKey: key) ?? [:]
    }
}

extension KeyedEncodingContainer {
    fileprivate mutating func encodeTable(_ table: FieldTable, _ key: Key) throws {
        try encode(table, forKey: key)
    }
}
