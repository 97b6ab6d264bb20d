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
    /// Messages are delivered when their time has come. Only in the commercial broker, Tanzu RabbitMQ:
    /// [Delayed queues](https://techdocs.broadcom.com/us/en/vmware-tanzu/data-solutions/tanzu-rabbitmq-oci/4-3/tanzu-rabbitmq-oci-image/site-delayed-queues.html).
    /// What arguments it has is the broker's affair: none is checked here.
    public static let delayed = QueueType(rawValue: "delayed")
    /// For JMS, whose consumers choose messages by selectors. Only in the commercial broker, Tanzu RabbitMQ; no argument is
    /// checked here.
    public static let jms = QueueType(rawValue: "jms")

    /// The name on the wire.
    public var description: String { rawValue }
}
