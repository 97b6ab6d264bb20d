/// The consumers of a channel that the broker knows of, once it has read what was sent. A value.
struct ConsumerTags: Sendable {
    private var tags: Set<String> = []
    /// Whether a consumer has had a tag that was not made up, which another channel's may have too.
    private(set) var hasGiven = false

    var isEmpty: Bool { tags.isEmpty }

    func contains(_ tag: String) -> Bool { tags.contains(tag) }

    /// - Throws: `invalidArgument` for one that is taken: RabbitMQ closes the connection (530) over it.
    mutating func add(_ tag: String) throws(AMQPError) {
        guard tags.insert(tag).inserted else {
            throw AMQPError(.invalidArgument, "the channel has a consumer with the tag \(tag) already")
        }
        if !tag.hasPrefix(Consumer.madeUpTag) { hasGiven = true }
    }

    mutating func remove(_ tag: String) { tags.remove(tag) }
}
