internal import Synchronization

/// How many bytes are held on a connection of messages whose last frame has not come. Each channel may have one, so that a
/// bound for one message alone would let 2,047 channels hold that many times as much.
///
/// RabbitMQ sends the frames of a message behind each other: there it is one at a time.
final class BegunMessages: Sendable {
    private let bytes = Atomic<Int>(0)
    /// The most that more than one message may take together.
    let limit: Int

    init(limit: Int) { self.limit = limit }

    /// Counts what a message takes more, or less.
    ///
    /// - Parameters:
    ///   - change: By how many bytes.
    ///   - own: How many the message takes then.
    /// - Returns: Whether that is too much, and not because of this message alone.
    func exceedsLimit(changingBy change: Int, own: Int) -> Bool {
        let sum = bytes.add(change, ordering: .relaxed).newValue
        return change > 0 && sum > limit && sum > own
    }
}
