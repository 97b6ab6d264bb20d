internal import Synchronization

/// The mandatory messages of a channel that come back because they reached no queue, as they come.
///
/// Ends with the channel. Several can be iterated over at a time; each gets every message.
public struct ReturnedMessages: AsyncSequence, Sendable {
    let stream: AsyncStream<ReturnedMessage>
    let share: InboundShare

    /// Makes an iterator. Of several, each message goes to one.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(iterator: stream.makeAsyncIterator(), share: share)
    }

    /// Takes one message after the other.
    public struct AsyncIterator: AsyncIteratorProtocol {
        var iterator: AsyncStream<ReturnedMessage>.Iterator
        let share: InboundShare

        /// Waits for the next message.
        ///
        /// - Returns: The message, or nil when the channel has ended or the task was cancelled.
        public mutating func next() async -> ReturnedMessage? { await next(isolation: #isolation) }

        /// Waits for the next message.
        ///
        /// - Returns: The message, or nil when the channel has ended or the task was cancelled.
        public mutating func next(isolation actor: isolated (any Actor)?) async -> ReturnedMessage? {
            guard let returned = await iterator.next(isolation: actor) else { return nil }
            share.remove(returned.message.footprint)
            return returned
        }
    }
}

/// What one receiver's messages have a part of in the inbound bytes, until it is gone.
final class InboundShare: Sendable {
    /// How many bytes wait for the receiver; nil when it is gone.
    private let waiting = Mutex<Int?>(0)
    private let gauge: InboundGauge

    init(gauge: InboundGauge) { self.gauge = gauge }

    func add(_ bytes: Int) { change(by: bytes) }

    func remove(_ bytes: Int) { change(by: -bytes) }

    private func change(by bytes: Int) {
        let counts = waiting.withLock { waiting in
            waiting = waiting.map { $0 + bytes }
            return waiting != nil
        }
        guard counts else { return }
        if bytes > 0 { gauge.add(bytes) } else { gauge.remove(-bytes) }
    }

    /// Counts out what is left, for good: the receiver is gone, or nothing more comes for it.
    func end() {
        let left = waiting.withLock { waiting in
            defer { waiting = nil }
            return waiting ?? 0
        }
        if left > 0 { gauge.remove(left) }
    }
}
