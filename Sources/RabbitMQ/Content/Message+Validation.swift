extension Message {
    /// Refuses a message that AMQP cannot carry; publishing calls this before anything is sent.
    ///
    /// Short strings (all properties that are text) hold at most 255 bytes. The keys of ``headers`` too, at
    /// every level, and headers nest at most 32 levels deep. The header `x-stream-filter-value`
    /// (``Message/streamFilterValue``) must be text: RabbitMQ closes the connection that sends another one to a stream.
    ///
    /// - Throws: An ``AMQPError`` with ``AMQPError/Code/invalidMessage``, which names the property and its length.
    public func validate() throws(AMQPError) {
        try validateTexts()
        try validateHeaders()
    }

    /// Checks all but the headers, for a message that is about to be written: they are looked at then (``FieldWriter``), and
    /// to go over them twice would cost a tenth of what it takes to publish them.
    func validateTexts() throws(AMQPError) {
        if let contentType {
            try ShortString.validateProperty(contentType, name: "contentType")
        }
        if let extras {
            try extras.validateTexts()
        }
    }

    /// Checks the rest.
    func validateHeaders() throws(AMQPError) {
        if let extras {
            try extras.validateHeaders()
        }
    }
}

extension MessageExtras {
    fileprivate func validateTexts() throws(AMQPError) {
        try Self.check(plain.contentEncoding, "contentEncoding")
        try Self.check(plain.correlationID, "correlationID")
        try Self.check(plain.replyTo, "replyTo")
        try Self.check(plain.expiration, "expiration")
        try Self.check(plain.messageID, "messageID")
        try Self.check(plain.type, "type")
        try Self.check(plain.userID, "userID")
        try Self.check(plain.appID, "appID")
    }

    fileprivate func validateHeaders() throws(AMQPError) {
        if sendableHeaders == nil, let headers {
            try TableCheck.validate(
                headers,
                name: "headers",
                code: .invalidMessage,
                textKey: Message.streamFilterKey
            )
        }
    }

    @inline(__always)
    private static func check(_ value: String?, _ name: StaticString) throws(AMQPError) {
        guard let value else { return }
        try ShortString.validateProperty(value, name: name.description)
    }
}
