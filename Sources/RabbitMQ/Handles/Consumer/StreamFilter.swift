/// Which messages of a stream a consumer asks for, by the ``Message/streamFilterValue`` that they were published with.
///
/// The broker reads less from its disk and sends less, but decides for whole chunks of messages, by a filter (of Bloom's
/// kind) that errs towards sending: what is asked for always comes, and other messages may come with it. So look at each:
///
/// ```swift
/// let filter = StreamFilter("eu", "us")
/// for try await message in try await stream.consume(ConsumerOptions(streamFilter: filter)) {
///     if filter.matches(message) { try await handle(message) }
///     try message.ack()
/// }
/// ```
///
/// Messages that are published in a row share a chunk: the filter spares most where those of one value come together.
/// ``QueueArguments/filterSize`` makes it sharper. From RabbitMQ 3.13; earlier ones ignore it and send everything, for
/// which the library logs a warning.
///
/// RabbitMQ: [Filtering](https://www.rabbitmq.com/docs/streams#filtering).
public struct StreamFilter: Hashable, Sendable {
    /// The values, of which a message must have one: `x-stream-filter`. At least one; the empty value is that of messages
    /// without any.
    public var values: [String]

    /// Whether messages without a value are asked for too, `x-stream-match-unfiltered`; false by default.
    public var matchUnfiltered: Bool

    /// Asks for messages with one of several values.
    ///
    /// - Parameters:
    ///   - values: ``values``.
    ///   - matchUnfiltered: ``matchUnfiltered``.
    public init(_ values: [String], matchUnfiltered: Bool = false) {
        self.values = values
        self.matchUnfiltered = matchUnfiltered
    }

    /// Asks for messages with one of several values.
    ///
    /// - Parameters:
    ///   - values: ``values``.
    ///   - matchUnfiltered: ``matchUnfiltered``.
    public init(_ values: String..., matchUnfiltered: Bool = false) {
        self.init(values, matchUnfiltered: matchUnfiltered)
    }

    /// Whether a message is one of those that are asked for.
    public func matches(_ message: Message) -> Bool {
        // The broker takes an empty value for none.
        let value = message.streamFilterValue ?? ""
        return values.contains(value) || (matchUnfiltered && value.isEmpty)
    }

    /// Whether a delivered message is one of those that are asked for.
    public func matches(_ message: IncomingMessage) -> Bool { matches(message.message) }

    static let key = "x-stream-filter"
    static let unfilteredKey = "x-stream-match-unfiltered"

    /// As it goes out, among a consumer's arguments.
    var table: FieldTable {
        var table: FieldTable = [Self.key: .array(values.map(FieldValue.string))]
        if matchUnfiltered { table[Self.unfilteredKey] = true }
        return table
    }

    /// What is wrong with a consumer's arguments, whichever way they were given; nil if nothing is.
    ///
    /// For a list without text RabbitMQ closes the whole connection with 541 (`internal_error`). The other two it would
    /// take for no filter at all.
    static func problem(_ arguments: FieldTable) -> String? {
        switch arguments[key] {
        case .array(let values) where !values.contains { $0.stringValue != nil }:
            "\(key) holds no value that messages could have"
        case nil where arguments[unfilteredKey] != nil:
            "\(unfilteredKey) needs \(key)"
        case nil, .array, .string:
            nil
        default:
            "\(key) must be text, or a list of texts"
        }
    }
}
