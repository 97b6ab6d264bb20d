/// Whether to wait for a moment before the next read, so that it brings more messages. A value without a clock: times are
/// nanoseconds of a monotonic clock.
///
/// A broker sends messages a few at a time. To read them as they come wakes whoever reads, and then the consumer's thread, for
/// each few: that is most of what they cost. While they come fast, as many as are worth it have come after a moment, and
/// with one wake-up. Messages that come now and then are never waited for, nor are those of a connection that publishes: there
/// each may be the answer to another, which comes no sooner than this one was read.
struct ReadPace {
    struct Wait: Equatable {
        let time: UInt64
        /// How many messages are likely to come meanwhile.
        let messages: Int
    }

    /// So many messages are worth waking somebody.
    static let enough: UInt64 = 16

    /// For fewer than so many it is not worth waiting.
    static let fewest: UInt64 = 4

    /// The shortest wait: about what the wake-ups take that it spares.
    static let shortest: UInt64 = 40_000

    /// The longest wait, which is by how much a message may be later.
    static let longest: UInt64 = 120_000

    /// A read that brought so many bytes needs no more.
    static let manyBytes = 16 * 1024

    /// For so long after a message was published none is waited for.
    static let publishingTime: UInt64 = 5_000_000

    private var lastRead: UInt64 = 0
    private var lastPublish: UInt64 = 0
    private var published = 0
    private var delivered = 0

    /// Notes how many messages were published so far.
    mutating func note(published count: Int, at now: UInt64) {
        if count != published { (published, lastPublish) = (count, now) }
    }

    /// Decides what to do after a read.
    ///
    /// - Parameters:
    ///   - bytes: How many it brought.
    ///   - count: How many messages were delivered so far.
    ///   - now: When it was.
    /// - Returns: nil if the next read is not to wait.
    mutating func wait(after bytes: Int, delivered count: Int, now: UInt64) -> Wait? {
        let (messages, time) = (count &- delivered, now &- lastRead)
        (delivered, lastRead) = (count, now)
        guard messages > 0, bytes < Self.manyBytes, now &- lastPublish >= Self.publishingTime else { return nil }
        let each = max(1, time / UInt64(messages))
        guard each <= Self.longest / Self.fewest else { return nil }
        let wait = min(max(each * Self.enough, Self.shortest), Self.longest)
        return Wait(time: wait, messages: Int(wait / each))
    }
}
