/// A mandatory message that the broker could not route, as it came back with `basic.return`.
public struct ReturnedMessage: Sendable, Hashable {
    /// Why it came back: ``ReplyCode/noRoute`` as a rule.
    public let replyCode: ReplyCode

    /// The broker's text as it came, such as `NO_ROUTE`.
    public let replyText: String

    /// The name of the exchange to which it was published; empty for the default exchange.
    public let exchangeName: String

    /// The routing key with which it was published.
    public let routingKey: String

    /// The message itself.
    public let message: Message

    /// Makes a returned message, as the library does; public so that tests of applications can have one.
    public init(
        replyCode: ReplyCode,
        replyText: String,
        exchangeName: String,
        routingKey: String,
        message: Message
    ) {
        self.replyCode = replyCode
        self.replyText = replyText
        self.exchangeName = exchangeName
        self.routingKey = routingKey
        self.message = message
    }
}
