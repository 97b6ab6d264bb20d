/// What kind of queue the broker makes: `x-queue-type`.
///
/// RabbitMQ: [Queues](https://www.rabbitmq.com/docs/queues).
public struct QueueType: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    /// The name on the wire.
    public let rawValue: String

    /// Makes a type from its name on the wire.
    ///
    /// - Parameter rawValue: The name.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// On one node; the only type that can be exclusive, transient or deleted automatically.
    public static let classic = QueueType(rawValue: "classic")
    /// Replicated: [Quorum queues](https://www.rabbitmq.com/docs/quorum-queues).
    public static let quorum = QueueType(rawValue: "quorum")
    /// A replicated log, whose messages stay when they are consumed: [Streams](https://www.rabbitmq.com/docs/streams).
    public static let stream = QueueType(rawValue: "stream")

    /// The name on the wire.
    public var description: String { rawValue }
}

extension Queue {
    /// The type it was declared with; nil if none was asked for, so that the virtual host's default counts.
    public var type: QueueType? { arguments["x-queue-type"]?.stringValue.map(QueueType.init) }
}
