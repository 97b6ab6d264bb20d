/// The arguments of an exchange that RabbitMQ knows, with types.
///
/// ```swift
/// let orders = try await channel.declareExchange(
///     "orders",
///     type: .topic,
///     arguments: ExchangeArguments(alternateExchange: "unrouted")
/// )
/// ```
///
/// Checked before anything is sent: what can't work, or would be overlooked in silence by an exchange of that type, is
/// ``AMQPError/Code/invalidArgument``.
public struct ExchangeArguments: Hashable, Sendable {
    /// A property of messages by which a ``ExchangeType/consistentHash`` exchange routes.
    public struct HashProperty: RawRepresentable, Hashable, Sendable {
        /// The name on the wire.
        public let rawValue: String

        /// Makes one from its name on the wire.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// ``Message/correlationID``: `correlation_id`.
        public static let correlationID = HashProperty(rawValue: "correlation_id")
        /// ``Message/messageID``: `message_id`.
        public static let messageID = HashProperty(rawValue: "message_id")
        /// ``Message/timestamp``: `timestamp`.
        public static let timestamp = HashProperty(rawValue: "timestamp")
    }

    /// Where messages go that the exchange can't route, `alternate-exchange`; empty for the default exchange.
    ///
    /// RabbitMQ: [Alternate exchanges](https://www.rabbitmq.com/docs/ae).
    public var alternateExchange: String?

    /// How a ``ExchangeType/delayedMessage`` exchange, which can't do without it, routes when the time has come:
    /// `x-delayed-type`.
    public var delayedType: ExchangeType?

    /// The header by whose value a ``ExchangeType/consistentHash`` exchange routes, `hash-header`; the routing key if
    /// neither this nor ``hashProperty`` is given.
    public var hashHeader: String?

    /// The property by whose value a ``ExchangeType/consistentHash`` exchange routes, in place of ``hashHeader``:
    /// `hash-property`.
    public var hashProperty: HashProperty?

    /// How many messages a ``ExchangeType/recentHistory`` exchange keeps for queues that are bound later, from 1; 20 if
    /// nil: `x-recent-history-length`.
    public var recentHistoryLength: Int?

    /// Further arguments, which go out as they are, unchecked.
    public var custom: FieldTable

    /// Makes arguments; what is nil is not sent.
    ///
    /// - Parameters:
    ///   - alternateExchange: ``alternateExchange``.
    ///   - delayedType: ``delayedType``.
    ///   - hashHeader: ``hashHeader``.
    ///   - hashProperty: ``hashProperty``.
    ///   - recentHistoryLength: ``recentHistoryLength``.
    ///   - custom: ``custom``.
    public init(
        alternateExchange: String? = nil,
        delayedType: ExchangeType? = nil,
        hashHeader: String? = nil,
        hashProperty: HashProperty? = nil,
        recentHistoryLength: Int? = nil,
        custom: FieldTable = [:]
    ) {
        self.alternateExchange = alternateExchange
        self.delayedType = delayedType
        self.hashHeader = hashHeader
        self.hashProperty = hashProperty
        self.recentHistoryLength = recentHistoryLength
        self.custom = custom
    }

    static let alternate = "alternate-exchange"
    static let delayed = "x-delayed-type"
    static let header = "hash-header"
    static let property = "hash-property"
    static let history = "x-recent-history-length"

    /// Reads arguments from a table; what it does not know, or would write otherwise, goes to ``custom``.
    ///
    /// - Parameter table: Arguments of an exchange.
    public init(_ table: FieldTable) {
        self.init(
            alternateExchange: table[Self.alternate]?.stringValue,
            delayedType: table[Self.delayed]?.stringValue.map(ExchangeType.init(rawValue:)),
            hashHeader: table[Self.header]?.stringValue,
            hashProperty: table[Self.property]?.stringValue.map(HashProperty.init(rawValue:)),
            recentHistoryLength: table[Self.history]?.intValue.flatMap { $0 > 0 ? $0 : nil }
        )
        custom = table.filter { known[$0.key] == nil }
    }

    /// The arguments as they go out.
    public var table: FieldTable { custom.merging(known) { _, known in known } }

    /// Those that are no ``custom`` ones.
    var known: FieldTable {
        var table: FieldTable = [:]
        if let alternateExchange { table[Self.alternate] = .string(alternateExchange) }
        if let delayedType { table[Self.delayed] = .string(delayedType.rawValue) }
        if let hashHeader { table[Self.header] = .string(hashHeader) }
        if let hashProperty { table[Self.property] = .string(hashProperty.rawValue) }
        if let recentHistoryLength { table[Self.history] = .int64(Int64(recentHistoryLength)) }
        return table
    }
}

extension ExchangeArguments: ExpressibleByDictionaryLiteral {
    // Disfavored: else `ExchangeArguments()` could mean this one.
    /// Reads arguments from a table, as ``init(_:)`` does; of a name that is there twice, the last counts.
    @_disfavoredOverload
    public init(dictionaryLiteral elements: (String, FieldValue)...) {
        self.init(FieldTable(elements) { _, last in last })
    }
}
