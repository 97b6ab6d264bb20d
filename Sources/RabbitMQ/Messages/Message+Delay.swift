extension Message {
    private static let delayKey = "x-delay"

    /// How long a ``ExchangeType/delayedMessage`` exchange waits before it routes the message, `x-delay`: whole
    /// milliseconds.
    ///
    /// It is a header: set it after ``headers``. Setting rounds up to a millisecond; a negative duration becomes zero, and
    /// one above 4,294,967,295 milliseconds, just under 50 days, becomes that: the exchange would route the message at once.
    /// A message that has waited has it negative. Nil if there is none, or if it is not a whole number.
    ///
    /// RabbitMQ: [Delayed message exchange](https://github.com/rabbitmq/rabbitmq-delayed-message-exchange).
    public var delay: Duration? {
        get { header(Self.delayKey)?.intValue.map { .milliseconds($0) } }
        set {
            setHeader(
                Self.delayKey,
                newValue.map { .int64(min(max(0, $0.wholeMilliseconds), Self.maxTimeToLive)) }
            )
        }
    }
}
