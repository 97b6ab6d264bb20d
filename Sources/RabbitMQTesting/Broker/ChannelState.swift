internal import RabbitMQ

/// A channel of a client.
struct ChannelState {
    struct Consumer {
        /// Tells it from another one that has the tag later.
        let id: Int
        var queue: String
        var noAck: Bool
        /// How many deliveries it may have unsettled; 0 for any number.
        var prefetch: Int
        var unsettledCount = 0
    }

    /// A message whose frames have not all come.
    struct Content {
        var publish: Request.Publish
        var message: Message?
        var properties: [UInt8] = []
        var size = 0
    }

    var consumers: [String: Consumer] = [:]
    var deliveries = DeliveryLedger()
    /// For the consumers that begin next, each by itself.
    var consumerPrefetch = 0
    /// For all consumers together; 0 for any number.
    var channelPrefetch = 0
    var content: Content?
    /// The number of the last message that was published; nil if the channel does not confirm.
    var lastNumber: UInt64?
    var confirms = HeldConfirms()
    /// The last queue that was declared, which an empty name means.
    var lastQueue = ""
    /// Its address for direct replies, while it consumes them.
    var replyAddress: String?
    var replyConsumer: String?
    /// Whether the broker has closed it and waits for the answer: nothing else is heard.
    var isClosing = false

    /// Whether a consumer may have one more.
    func canDeliver(to tag: String) -> Bool {
        guard !isClosing, let consumer = consumers[tag] else { return false }
        // Once the channel's limit is reached, RabbitMQ holds back those too that don't acknowledge. What was asked for
        // with basic.get does not count.
        if channelPrefetch > 0, deliveries.consumedCount >= channelPrefetch { return false }
        return consumer.noAck || consumer.prefetch == 0 || consumer.unsettledCount < consumer.prefetch
    }
}
