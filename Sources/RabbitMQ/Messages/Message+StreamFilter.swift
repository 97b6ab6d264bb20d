extension Message {
    static let streamFilterKey = "x-stream-filter-value"

    /// By what a ``StreamFilter`` finds the message in a stream, `x-stream-filter-value`: text of any length; empty or nil
    /// for none.
    ///
    /// It is a header: set it after ``headers``. From RabbitMQ 3.13.
    ///
    /// RabbitMQ: [Filtering](https://www.rabbitmq.com/docs/streams#filtering).
    public var streamFilterValue: String? {
        get { header(Self.streamFilterKey)?.stringValue }
        set { setHeader(Self.streamFilterKey, newValue.map(FieldValue.string)) }
    }
}
