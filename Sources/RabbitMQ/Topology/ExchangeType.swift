/// How an exchange routes (AMQP 0-9-1, section 3.1.3). Types of plugins are written as text: `"x-delayed-message"`.
public struct ExchangeType: RawRepresentable, Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The name on the wire, at most 255 bytes of UTF-8.
    public let rawValue: String

    /// Makes a type from its name on the wire.
    ///
    /// - Parameter rawValue: The name.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// Makes a type from its name on the wire.
    ///
    /// - Parameter value: The name.
    public init(stringLiteral value: String) { rawValue = value }

    /// To the queues whose binding has the message's routing key.
    public static let direct = ExchangeType(rawValue: "direct")
    /// To every bound queue.
    public static let fanout = ExchangeType(rawValue: "fanout")
    /// To the queues whose binding matches the routing key, word by word: `*` is one word, `#` any number of them.
    public static let topic = ExchangeType(rawValue: "topic")
    /// To the queues whose binding's arguments match the message's headers.
    public static let headers = ExchangeType(rawValue: "headers")

    /// The name on the wire.
    public var description: String { rawValue }
}
