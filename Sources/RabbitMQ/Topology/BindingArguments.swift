/// The arguments of a binding: which headers a message must have, where the exchange is one of type
/// ``ExchangeType/headers``; what must be true of them, where it is one of type ``ExchangeType/jmsTopic``.
///
/// ```swift
/// try await queue.bind(to: documents, arguments: .headers(.all, ["format": "pdf", "urgent": .void]))
/// try await queue.bind(to: documents, arguments: ["x-match": "all", "format": "pdf", "urgent": .void])
/// ```
///
/// RabbitMQ: [Headers exchange](https://www.rabbitmq.com/tutorials/amqp-concepts#exchange-headers).
public struct BindingArguments: Hashable, Sendable {
    /// How many headers must match: `x-match`.
    public struct Match: RawRepresentable, Hashable, Sendable {
        /// The name on the wire.
        public let rawValue: String

        /// Makes one from its name on the wire.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// All of them, those aside whose name begins with `x-`.
        public static let all = Match(rawValue: "all")
        /// At least one, those aside whose name begins with `x-`.
        public static let any = Match(rawValue: "any")
        /// All of them. From RabbitMQ 3.10.
        public static let allWithX = Match(rawValue: "all-with-x")
        /// At least one. From RabbitMQ 3.10.
        public static let anyWithX = Match(rawValue: "any-with-x")
    }

    /// How many of ``headers`` must match, `x-match`; nil leaves it to the broker, for which it is ``Match/all``.
    public var match: Match?

    /// The headers a message must have, with their values; ``FieldValue/void`` for any value.
    public var headers: FieldTable

    /// What must be true of a message's headers, `rjms_erlang_selector`: an Erlang term such as
    /// `{'=', {ident, <<"colour">>}, <<"red">>}.`, or `true.` for every message. Bindings to exchanges of type
    /// ``ExchangeType/jmsTopic`` need one, and no others have.
    public var selector: String?

    /// Further arguments, such as a plugin's, which go out as they are, unchecked.
    public var custom: FieldTable

    private static let key = "x-match"
    static let selectorKey = "rjms_erlang_selector"

    /// Makes arguments that a headers exchange compares.
    ///
    /// - Parameters:
    ///   - match: ``match``.
    ///   - headers: ``headers``.
    ///   - selector: ``selector``.
    ///   - custom: ``custom``.
    public init(match: Match? = nil, headers: FieldTable = [:], selector: String? = nil, custom: FieldTable = [:]) {
        self.match = match
        self.headers = headers
        self.selector = selector
        self.custom = custom
    }

    /// Makes arguments that a headers exchange compares.
    ///
    /// - Parameters:
    ///   - match: How many of the headers must match.
    ///   - headers: The headers, with their values; ``FieldValue/void`` for any value.
    public static func headers(_ match: Match, _ headers: FieldTable) -> BindingArguments {
        BindingArguments(match: match, headers: headers)
    }

    /// Reads arguments from a table.
    ///
    /// What headers exchanges do not look at goes to ``custom``.
    ///
    /// - Parameter table: Arguments of a binding.
    public init(_ table: FieldTable) {
        let match = table[Self.key]?.stringValue.map(Match.init)
        let looksAtAll = match == .allWithX || match == .anyWithX
        self.init(match: match, selector: table[Self.selectorKey]?.stringValue)
        for (name, value) in table
        where (name != Self.key || match == nil) && (name != Self.selectorKey || selector == nil) {
            if looksAtAll || !name.hasPrefix("x-") { headers[name] = value } else { custom[name] = value }
        }
    }

    /// The arguments as they go out.
    public var table: FieldTable {
        var table = custom.merging(headers) { _, header in header }
        if let match { table[Self.key] = .string(match.rawValue) }
        if let selector { table[Self.selectorKey] = .string(selector) }
        return table
    }

    /// What can't work, in words.
    var problems: [String] {
        var problems: [String] = []
        if headers[Self.key] != nil {
            problems.append("\(Self.key) is not a header to match; say it with match")
        }
        for name in custom.keys.sorted()
        where headers[name] != nil || (name == Self.key && match != nil)
            || (name == Self.selectorKey && selector != nil)
        {
            problems.append("\(name) is given twice, once in custom")
        }
        if selector != nil, headers[Self.selectorKey] != nil {
            problems.append("\(Self.selectorKey) is not a header to match; say it with selector")
        }
        if match != .allWithX, match != .anyWithX {
            for name in headers.keys.sorted() where name.hasPrefix("x-") && name != Self.key {
                problems.append("the header \(name) would not be looked at; match allWithX or anyWithX does")
            }
        }
        return problems
    }

    func validate() throws(AMQPError) {
        let problems = problems
        guard problems.isEmpty else {
            throw AMQPError(.invalidArgument, "the binding: \(problems.joined(separator: "; "))")
        }
    }
}

extension BindingArguments: ExpressibleByDictionaryLiteral {
    // Disfavored: else `BindingArguments()` could mean this one.
    /// Reads arguments from a table, as ``init(_:)`` does; of a name that is there twice, the last counts.
    @_disfavoredOverload
    public init(dictionaryLiteral elements: (String, FieldValue)...) {
        self.init(FieldTable(elements) { _, last in last })
    }
}
