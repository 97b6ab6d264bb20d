internal import RabbitMQ

/// RabbitMQ: [Direct reply-to](https://www.rabbitmq.com/docs/direct-reply-to).
extension Broker {
    static let directReplies = "amq.rabbitmq.reply-to"

    func isReplyQueue(_ name: String) -> Bool {
        name == Self.directReplies || name.hasPrefix("\(Self.directReplies).")
    }

    /// Whether it is an address such as the broker gives out, wherever its channel is now.
    func isReplyAddress(_ name: String) -> Bool {
        let prefix = "\(Self.directReplies)."
        return name.hasPrefix(prefix) && Int(name.dropFirst(prefix.count)) != nil
    }

    mutating func beginReplies(_ consume: Request.Consume, _ key: ChannelKey) throws(Refusal) {
        guard consume.noAck else { throw Refusal(.preconditionFailed, "reply consumer cannot acknowledge") }
        guard channels[key]?.replyConsumer == nil else {
            throw Refusal(.preconditionFailed, "reply consumer already set")
        }
        let tag = consume.tag.isEmpty ? "amq.ctag-\(nextSerial())" : consume.tag
        if channels[key]?.consumers[tag] != nil {
            throw Refusal(.notAllowed, "attempt to reuse consumer tag '\(tag)'")
        }
        channels[key]?.replyConsumer = tag
        let address = "\(Self.directReplies).\(nextSerial())"
        channels[key]?.replyAddress = address
        if !consume.noWait { send(.consumeOk(tag), to: key) }
    }

    /// The channel that gets the replies to an address.
    func consumer(ofReplies address: String) -> ChannelKey? {
        channels.first { $0.value.replyAddress == address }?.key
    }

    /// Puts the channel's address where a request says that it wants a direct reply.
    func setReplyAddress(_ message: inout StoredMessage, _ key: ChannelKey) throws(Refusal) {
        guard message.message.replyTo == Self.directReplies else { return }
        guard let address = channels[key]?.replyAddress else {
            throw Refusal(.preconditionFailed, "fast reply consumer does not exist")
        }
        message.message.replyTo = address
        message.properties = nil
    }

    /// Delivers a message to the address that its routing key is.
    ///
    /// - Returns: Whether somebody waits there.
    mutating func deliverReply(_ message: StoredMessage) -> Bool {
        guard message.routingKey.hasPrefix("\(Self.directReplies)."), let key = consumer(ofReplies: message.routingKey),
            let consumer = channels[key]?.replyConsumer
        else { return false }
        let tag = channels[key]?.deliveries.add(nil) ?? 0
        connections[key.connection]?.send(
            .deliver(consumer: consumer, tag: tag, message),
            channel: key.number,
            message
        )
        return true
    }
}
