/// The arguments of an exchange that RabbitMQ knows, with types.
///
/// ```swift
/// let orders = try await channel.declareExchange(
///     "orders",
///     type: .topic,
///     arguments: ExchangeArguments(alternateExchange: "unrouted")
/// )
/// ```
public struct ExchangeArguments: Hashable, Sendable {
    /// Where messages go that the exchange can't route, `alternate-exchange`; empty for the default exchange.
    ///
    /// RabbitMQ: [Alternate exchanges](https://www.rabbitmq.com/docs/ae).
    public var alternateExchange: String?

    /// Further arguments, such as a plugin's `x-delayed-type`, which go out as they are, unchecked.
    public var custom: Table

    /// Makes arguments; what is nil is not sent.
    ///
    /// - Parameters:
    ///   - alternateExchange: ``alternateExchange``.
    ///   - custom: ``custom``.
    public init(alternateExchange: String? = nil, custom: Table = [:]) {
        self.alternateExchange = alternateExchange
        self.custom = custom
    }

    private static let alternate = "alternate-exchange"

    /// Reads arguments from a table; what it does not know goes to ``custom``.
    ///
    /// - Parameter table: Arguments of an exchange.
    public init(_ table: Table) {
        custom = table
        alternateExchange = table[Self.alternate]?.stringValue
        if alternateExchange != nil { custom[Self.alternate] = nil }
    }

    /// The arguments as they go out.
    public var table: Table {
        var table = custom
        if let alternateExchange { table[Self.alternate] = .string(alternateExchange) }
        return table
    }

    /// What can't work, in words.
    var problems: [String] {
        guard let alternateExchange else { return [] }
        var problems: [String] = []
        if alternateExchange.utf8.count > ShortString.maxBytes {
            problems.append(
                "\(Self.alternate) has \(alternateExchange.utf8.count) bytes of UTF-8; at most 255 are possible"
            )
        }
        if custom[Self.alternate] != nil { problems.append("\(Self.alternate) is given twice, once in custom") }
        return problems
    }

    func validate(_ name: String) throws(AMQPError) {
        let problems = problems
        guard problems.isEmpty else {
            throw AMQPError(.invalidArgument, "the exchange \(name): \(problems.joined(separator: "; "))")
        }
    }
}
