/// The mandatory messages of a channel that come back because they reached no queue, as they come.
///
/// Ends with the channel. Several can be iterated over at a time; each gets every message.
public struct ReturnedMessages: AsyncSequence, Sendable {
    let stream: AsyncStream<ReturnedMessage>
    let gauge: InboundGauge

    /// Makes an iterator. Of several, each message goes to one.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(iterator: stream.makeAsyncIterator(), gauge: gauge)
    }

    /// Takes one message after the other.
    public struct AsyncIterator: AsyncIteratorProtocol {
        var iterator: AsyncStream<ReturnedMessage>.Iterator
        let gauge: InboundGauge

        /// Waits for the next message.
        ///
        /// - Returns: The message, or nil when the channel has ended or the task was cancelled.
        public mutating func next() async -> ReturnedMessage? { await next(isolation: #isolation) }

        /// Waits for the next message.
        ///
        /// - Returns: The message, or nil when the channel has ended or the task was cancelled.
        public mutating func next(isolation actor: isolated (any Actor)?) async -> ReturnedMessage? {
            guard let returned = await iterator.next(isolation: actor) else { return nil }
            gauge.remove(returned.footprint)
            return returned
        }
    }
}

extension ReturnedMessage {
    /// About how many bytes of memory it takes.
    var footprint: Int { message.body.count + 256 }
}
