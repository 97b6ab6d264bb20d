/// How an exchange routes (AMQP 0-9-1, section 3.1.3).
///
/// Those whose name begins with `x-` are RabbitMQ's own, most of them in plugins. A broker that doesn't know a type refuses
/// to declare an exchange of it: RabbitMQ 4 with ``ReplyCode/preconditionFailed``, which closes the channel, earlier ones with
/// ``ReplyCode/commandInvalid``, which closes the connection.
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

extension ExchangeType {
    /// To one bound queue, drawn by lot of those on the node that the publisher is connected to. Only classic queues can be
    /// bound, with an empty routing key. From RabbitMQ 4.0.
    ///
    /// RabbitMQ: [Local random exchange](https://www.rabbitmq.com/docs/local-random-exchange).
    public static let localRandom = ExchangeType(rawValue: "x-local-random")

    /// To one bound queue or exchange, drawn by lot. A plugin that comes with RabbitMQ:
    /// [`rabbitmq_random_exchange`](https://github.com/rabbitmq/rabbitmq-server/tree/main/deps/rabbitmq_random_exchange).
    public static let random = ExchangeType(rawValue: "x-random")

    /// To one bound queue or exchange, by the routing key's hash: the same one for the same key, as long as the number of
    /// bindings stays. From RabbitMQ 4.3 always there, before in a plugin that comes with it:
    /// [`rabbitmq_sharding`](https://github.com/rabbitmq/rabbitmq-server/tree/main/deps/rabbitmq_sharding).
    public static let modulusHash = ExchangeType(rawValue: "x-modulus-hash")

    /// To one bound queue or exchange, by a hash of the routing key, of a header (``ExchangeArguments/hashHeader``) or of a
    /// property (``ExchangeArguments/hashProperty``): mostly the same one for the same value, when bindings come and go too.
    /// A binding's routing key is its weight: a whole number from 1, such as `"1"`. A plugin that comes with RabbitMQ:
    /// [`rabbitmq_consistent_hash_exchange`](https://github.com/rabbitmq/rabbitmq-server/tree/main/deps/rabbitmq_consistent_hash_exchange).
    public static let consistentHash = ExchangeType(rawValue: "x-consistent-hash")

    /// To every bound queue, and the last messages (``ExchangeArguments/recentHistoryLength``) to one that is newly bound.
    /// A message with the header `x-recent-history-no-store` that is `true` is not kept. To bind an exchange that reaches no
    /// queue, while there is such a history, costs the connection. A plugin that comes with RabbitMQ:
    /// [`rabbitmq_recent_history_exchange`](https://github.com/rabbitmq/rabbitmq-server/tree/main/deps/rabbitmq_recent_history_exchange).
    public static let recentHistory = ExchangeType(rawValue: "x-recent-history")

    /// To the queues whose binding's ``BindingArguments/selector`` is true of the message's headers. A header that is
    /// selected by and holds no text, number or boolean costs the connection. A plugin that comes with RabbitMQ, for its JMS
    /// client:
    /// [`rabbitmq_jms_topic_exchange`](https://github.com/rabbitmq/rabbitmq-server/tree/main/deps/rabbitmq_jms_topic_exchange).
    public static let jmsTopic = ExchangeType(rawValue: "x-jms-topic")

    /// As ``ExchangeArguments/delayedType`` routes, once the message has waited for its ``Message/delay``. Until then a
    /// message that is published is confirmed, never returned, and kept on one node only. A plugin to install:
    /// [`rabbitmq_delayed_message_exchange`](https://github.com/rabbitmq/rabbitmq-delayed-message-exchange).
    public static let delayedMessage = ExchangeType(rawValue: "x-delayed-message")
}
