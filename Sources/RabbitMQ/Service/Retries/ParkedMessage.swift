#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// What a message that a ``RetryPolicy`` has parked tells about itself.
///
/// To have it processed after all, once what was wrong is mended, publish it to its queue as it is, whose handler sees the
/// ``original``:
///
/// ```swift
/// while let message = try await parking.get() {
///     guard let parked = message.parked else { continue }
///     try await exchange.publishConfirmed(message.message, routingKey: parked.queue)
///     try message.ack()
/// }
/// ```
///
/// Whatever else moves it back so, such as the broker's shovel, will do too: its attempts begin anew. The ``original`` is for
/// queues without a policy: the broker refuses the user of another connection (``Message/userID``), and takes its header CC
/// to copy it once more.
public struct ParkedMessage: Hashable, Sendable {
    /// Why it was parked, `x-parked-error`: the error's text, or a decision's reason. Nil if there was none.
    public let errorText: String?

    /// How often it was tried: `x-parked-attempts`.
    public let attempts: Int

    /// When it failed for the first time, in whole seconds, `x-parked-first-failure`; where the broker's own delays were used,
    /// when it was parked.
    public let firstFailure: Date?

    /// When it failed for the last time, and was parked, in whole seconds: `x-parked-last-failure`.
    public let lastFailure: Date?

    /// The queue in which it could not be processed: `x-parked-queue`.
    public let queue: String

    /// The exchange to which it was published at first, empty for the default exchange: `x-parked-exchange`.
    public let exchange: String

    /// The routing key with which it was published at first: `x-parked-routing-key`.
    public let routingKey: String

    /// The message as it was before, without these headers and with what they put aside: its expiration, its user, and what
    /// brokers act on.
    public let original: Message

    static let error = "x-parked-error"
    static let attempts = "x-parked-attempts"
    static let firstFailure = "x-parked-first-failure"
    static let lastFailure = "x-parked-last-failure"
    static let queue = "x-parked-queue"
    static let exchange = "x-parked-exchange"
    static let routingKey = "x-parked-routing-key"
    static let kept = "x-parked-kept"

    init?(_ message: Message) {
        guard let attempts = message.header(Self.attempts)?.intValue,
            let queue = message.header(Self.queue)?.stringValue, let headers = message.headers
        else { return nil }
        self.attempts = attempts
        self.queue = queue
        errorText = headers[Self.error]?.text
        firstFailure = headers[Self.firstFailure]?.dateValue
        lastFailure = headers[Self.lastFailure]?.dateValue
        exchange = headers[Self.exchange]?.text ?? ""
        routingKey = headers[Self.routingKey]?.text ?? ""
        var original = message
        original.restore(
            headers[Self.kept]?.tableValue,
            headers.filter { !$0.key.hasPrefix("x-parked-") }
        )
        self.original = original
    }
}

extension Message {
    /// What it tells about why it was parked; nil if it was not.
    public var parked: ParkedMessage? { ParkedMessage(self) }
}
