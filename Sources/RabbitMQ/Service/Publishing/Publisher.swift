internal import Synchronization

/// Publishes for a whole service: any task may use it, at any time, also while the connection is made again.
///
/// ```swift
/// let publisher = try await connection.openPublisher()
/// try await publisher.publish(Message(encoding: order, deliveryMode: .persistent), to: "orders", routingKey: "new")
/// ```
///
/// It has a confirming channel of its own, and opens that again when the broker closes it: a message to an exchange that does
/// not exist is the affair of whoever published it, and of nobody else. Each message has one outcome:
/// ``publish(_:to:routingKey:mandatory:timeout:)`` returns once the broker has confirmed it, or throws;
/// ``send(_:to:routingKey:mandatory:)`` returns once it is handed over, with the receipt to wait for. What the end of a
/// connection leaves without an answer is published again, if ``Options/unknown`` says so. How many may be without an answer is
/// limited (``Options/maxUnconfirmed``): who publishes more waits. <doc:PublishingFromServices> has the whole of it.
///
/// It is closed with ``close(within:)``, or when it is not held any more.
public final class Publisher: Sendable {
    /// What a publisher does by itself.
    public struct Options: Sendable, Hashable {
        /// What becomes of a message of which nobody knows whether the broker has it.
        public struct Unknown: Sendable, Hashable {
            private enum Value { case publishAgain, report }

            private let value: Value

            /// It is published again, in order, before anything new: the broker never lacks it, and may have it twice.
            public static let publishAgain = Unknown(value: .publishAgain)
            /// Who published it is told: ``AMQPError/Code/outcomeUnknown``.
            public static let report = Unknown(value: .report)
        }

        /// The most messages that may be without the broker's answer, at least 1; 1,000 by default. Each is kept with its body
        /// until then. Another channel that ``nackedAgain`` opens has as many places of its own.
        public var maxUnconfirmed = 1000

        /// What becomes of messages that a lost connection, or a closed channel, leaves without an answer;
        /// ``Unknown/publishAgain`` by default.
        public var unknown = Unknown.publishAgain

        /// How often ``publish(_:to:routingKey:mandatory:timeout:)`` publishes a message again that the broker refuses
        /// (``AMQPError/Code/nacked``), because its queue is full for example; 0 by default, at most 1,000. It waits in
        /// between, from 25 ms up to 2 s, and from the fourth time on tries another channel: RabbitMQ 3.10 goes on to
        /// refuse on the one that first published to a quorum queue while that had no leader. Of several queues that a
        /// message reaches, those that have taken it get it once more.
        public var nackedAgain = 0

        /// How long a publish may take for which no other time is given, by its `timeout:` or by
        /// ``withCallTimeout(_:isolation:_:)``, all waits and repetitions included; 30 s by default.
        public var timeout = Duration.seconds(30)

        /// Defaults for everything.
        public init() {}
    }

    struct State {
        /// Who publishes at the moment.
        var active = ActivePublishers()
        /// Opens the channel again, for all who need it.
        var reopening: Task<Void, any Error>?
    }

    let options: Options
    let channel: Channel
    let spare: SpareChannel
    /// Whether it takes nothing more. Set under the lock of ``state``, and read there by who counts as active; by others
    /// with each message, without it.
    let isClosing = Atomic<Bool>(false)
    let state = Mutex(State())
    /// Of the exchange that was published to first.
    let firstDurations = LazyReference<ExchangeDurations>()

    init(connection: Connection, options: Options) async throws {
        try options.validate()
        self.options = options
        // A call on its way when the connection is lost fails, which is no reason not to open.
        channel = try await connection.core.repeating {
            // If what follows throws, it is closed when it goes.
            let channel = try await connection.openChannel(publishingAgain: options.unknown == .publishAgain)
            try await channel.selectConfirms(maxUnconfirmed: options.maxUnconfirmed)
            return channel
        }
        spare = SpareChannel(
            of: connection,
            publishesAgain: options.unknown == .publishAgain,
            maxUnconfirmed: options.maxUnconfirmed
        )
    }

    /// How many messages the broker has not answered for.
    public var unconfirmedCount: Int {
        channel.core.unconfirmed.count + spare.unconfirmed.count
    }

    /// Why nothing can be published any more; nil as long as something can.
    public var closeReason: AMQPError? {
        if isClosing.load(ordering: .relaxed) { return Self.closed }
        guard let reason = channel.closeReason, reason.isConnectionFatal else { return nil }
        return reason
    }

    static var closed: AMQPError { AMQPError(.channelClosed, "the publisher was closed by the application") }

    // MARK: The end

    /// Waits until everything that was published so far has its outcome.
    ///
    /// What is published meanwhile is not waited for.
    ///
    /// - Parameter timeout: How long to wait, for all of it together.
    /// - Throws: ``AMQPError/Code/timedOut`` if there is something without an outcome then; `CancellationError`. What the
    ///   outcomes are, those hear who published.
    public func drain(within timeout: Duration) async throws {
        let start = MonotonicTime.now
        try await waitForActive(timeout)
        channel.core.port.outbox.expedite()
        // Who published on the other channel may have been cancelled.
        for confirmation in channel.core.unconfirmed + spare.unconfirmed {
            guard try await confirmation.settles(within: timeout.left(since: start)) else {
                throw notDrained(after: timeout)
            }
        }
    }

    private func notDrained(after timeout: Duration) -> AMQPError {
        AMQPError(.timedOut, "\(unconfirmedCount) messages have no outcome after \(timeout)")
    }

    private func waitForActive(_ timeout: Duration) async throws {
        guard let waiter = state.withLock({ $0.active.waitForAll() }) else { return }
        try await withDeadline(after: timeout) { [self] in
            waiter.fail(notDrained(after: timeout))
        } _: {
            try await waiter.value()
        }
    }

    /// Takes nothing more, waits until everything that was published has its outcome, and closes the channel.
    ///
    /// Whoever publishes after this throws ``AMQPError/Code/channelClosed``. What has no outcome when the time is up, or the
    /// task is cancelled, gets ``AMQPError/Code/outcomeUnknown``. Closing again only waits.
    ///
    /// - Parameter timeout: How long to wait; 10 s by default.
    /// - Returns: Whether everything had its outcome, and it is closed.
    @discardableResult
    public func close(within timeout: Duration = .seconds(10)) async -> Bool {
        let isFirst = state.withLock { _ in !isClosing.exchange(true, ordering: .relaxed) }
        guard isFirst else { return await channel.core.closed.wait(atMost: timeout) != nil }
        // Who has looked before, and publishes only now, would come behind what is waited for, and have no outcome.
        channel.core.port.endPublishingAtOnce()
        var isDrained = true
        do { try await drain(within: timeout) } catch { isDrained = false }
        await spare.close()
        await channel.close()
        return isDrained
    }
}

extension Publisher.Options {
    /// Refuses what can't work, and names it.
    func validate() throws(AMQPError) {
        func require(_ condition: Bool, _ problem: String) throws(AMQPError) {
            guard condition else { throw AMQPError(.invalidArgument, "the publisher's options can't be: \(problem)") }
        }
        try require(maxUnconfirmed > 0, "maxUnconfirmed is \(maxUnconfirmed), where 1 is the least")
        try require((0...1000).contains(nackedAgain), "nackedAgain is \(nackedAgain), not from 0 to 1,000")
        try require(timeout > .zero, "the timeout is \(timeout), which is not positive")
    }
}

extension Connection {
    /// Opens a publisher, with a channel of its own; on the next connection if this one is lost meanwhile.
    ///
    /// - Parameter options: What it does by itself.
    /// - Returns: The publisher, which is closed with ``Publisher/close(within:)`` or when it is not held any more.
    /// - Throws: ``AMQPError/Code/invalidArgument`` for options out of range; what ``openChannel()`` throws.
    public func openPublisher(_ options: Publisher.Options = Publisher.Options()) async throws -> Publisher {
        try await Publisher(connection: self, options: options)
    }

    /// Opens a publisher, runs `body`, and closes the publisher, whether `body` returns or throws, as
    /// ``Publisher/close(within:)`` says.
    ///
    /// - Parameters:
    ///   - options: What it does by itself.
    ///   - body: What to do with the publisher.
    /// - Returns: What `body` returns.
    /// - Throws: What ``openPublisher(_:)`` throws, and what `body` throws.
    public func withPublisher<Result>(
        _ options: Publisher.Options = Publisher.Options(),
        _ body: (Publisher) async throws -> Result
    ) async throws -> Result {
        let publisher = try await openPublisher(options)
        do {
            let result = try await body(publisher)
            await publisher.close()
            return result
        } catch {
            await publisher.close()
            throw error
        }
    }
}
