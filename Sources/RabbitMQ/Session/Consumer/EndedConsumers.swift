internal import DequeModule

/// What is remembered of consumers that have ended while their channel goes on. Deliveries for them may still be on their
/// way: the broker's queues send them, its channel cancels. They are given back.
struct EndedConsumers {
    struct Entry: Equatable {
        let noAck: Bool
        /// nil if that isn't known.
        let isStream: Bool?
        /// What would answer that.
        var question: StreamQuestion?

        static func == (left: Entry, right: Entry) -> Bool {
            left.noAck == right.noAck && left.isStream == right.isStream && left.question === right.question
        }
    }

    /// Of another channel, which had the number before: here there is nothing to settle.
    static let another = Entry(noAck: true, isStream: nil)

    /// The most that are remembered; what comes late comes soon.
    static let most = 1024

    private var consumers: [String: Entry] = [:]
    /// Their tags, the first that ended first; with some that are forgotten already.
    private var order: Deque<String> = []

    subscript(tag: String) -> Entry? { consumers[tag] }

    mutating func remember(_ consumer: Consumer) {
        let source = consumer.source
        remember(consumer.tag, Entry(noAck: source.noAck, isStream: source.isStream, question: source.question))
    }

    mutating func remember(_ tag: String, _ consumer: Entry) {
        if consumers.updateValue(consumer, forKey: tag) == nil { order.append(tag) }
        while order.count > Self.most, let first = order.popFirst() { consumers[first] = nil }
    }

    /// Its tag is another consumer's now.
    mutating func forget(_ tag: String) {
        if consumers.removeValue(forKey: tag) != nil { order.removeAll { $0 == tag } }
    }
}
