#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// How often, why and where a message was dead-lettered: one entry of its `x-death` header.
///
/// RabbitMQ: [Dead-lettering](https://www.rabbitmq.com/docs/dlx#effects).
public struct Death: Hashable, Sendable {
    /// Why a message was dead-lettered; others than these are kept as they came.
    public struct Reason: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
        /// The word on the wire.
        public let rawValue: String

        /// Makes a reason from its word on the wire.
        ///
        /// - Parameter rawValue: The word.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// A consumer rejected it without requeueing: `rejected`.
        public static let rejected = Reason(rawValue: "rejected")
        /// It waited for longer than its or its queue's time to live: `expired`.
        public static let expired = Reason(rawValue: "expired")
        /// The queue was full: `maxlen`.
        public static let maxLength = Reason(rawValue: "maxlen")
        /// It was returned to a quorum queue more often than the queue's delivery limit: `delivery_limit`.
        public static let deliveryLimit = Reason(rawValue: "delivery_limit")

        /// The word on the wire.
        public var description: String { rawValue }
    }

    /// The queue in which it died.
    public let queue: String

    /// Why.
    public let reason: Reason

    /// How often it died there for that reason, at least once.
    public let count: Int

    /// The exchange to which it had been published; empty for the default exchange.
    public let exchange: String

    /// The routing keys with which it had been published, those of its `CC` header included.
    public let routingKeys: [String]

    /// When it died there first, in whole seconds; nil if the broker doesn't say.
    public let time: Date?

    /// The expiration that it had; dead-lettering removes it. Nil if it had none.
    public let originalExpiration: Duration?

    /// Reads an entry of `x-death`; nil if it is not a table with a queue and a reason.
    init?(_ entry: FieldValue) {
        guard let table = entry.tableValue, let queue = table["queue"]?.stringValue,
            let reason = table["reason"]?.stringValue
        else { return nil }
        self.queue = queue
        self.reason = Reason(rawValue: reason)
        count = max(1, table["count"]?.intValue ?? 1)
        exchange = table["exchange"]?.stringValue ?? ""
        routingKeys = (table["routing-keys"]?.arrayValue ?? []).compactMap(\.stringValue)
        time = table["time"]?.dateValue
        originalExpiration = table["original-expiration"]?.stringValue.flatMap { Message.duration(ofExpiration: $0) }
    }
}

/// Where and why a message was dead-lettered for the first time: its `x-first-death-*` headers.
public struct FirstDeath: Hashable, Sendable {
    /// The queue in which it died.
    public let queue: String

    /// Why.
    public let reason: Death.Reason

    /// The exchange to which it had been published; empty for the default exchange.
    public let exchange: String
}

extension Message {
    /// How the message was dead-lettered: `x-death`, the latest first; empty if it never was.
    public var deaths: [Death] { (header("x-death")?.arrayValue ?? []).compactMap { Death($0) } }

    /// How the message was dead-lettered for the first time; nil if it never was.
    public var firstDeath: FirstDeath? {
        guard let queue = header("x-first-death-queue")?.stringValue,
            let reason = header("x-first-death-reason")?.stringValue
        else { return nil }
        return FirstDeath(
            queue: queue,
            reason: Death.Reason(rawValue: reason),
            exchange: header("x-first-death-exchange")?.stringValue ?? ""
        )
    }

    /// How often a quorum queue delivered the message before: `x-delivery-count`; nil from other queues.
    public var deliveryCount: Int? { header("x-delivery-count")?.intValue.map { max(0, $0) } }

    /// How often a quorum queue gave the message to a consumer before, whatever became of it then: `x-acquired-count`. Nil
    /// the first time, from other queues, and before RabbitMQ 4.3.
    ///
    /// A delivery counts here also where ``deliveryCount`` doesn't count it: when it was given back
    /// (``IncomingMessage/nack(requeue:multiple:)``), or its consumer never saw it. RabbitMQ:
    /// [Poison messages](https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling).
    public var acquiredCount: Int? { header("x-acquired-count")?.intValue.map { max(0, $0) } }

    /// Where the message stands in its stream: `x-stream-offset`; nil from other queues.
    public var streamOffset: UInt64? {
        switch header("x-stream-offset") {
        case .uint64(let offset): offset
        case let value: value?.intValue.flatMap { UInt64(exactly: $0) }
        }
    }

    static func duration(ofExpiration expiration: String) -> Duration? {
        guard let milliseconds = Int64(expiration), milliseconds >= 0 else { return nil }
        return .milliseconds(milliseconds)
    }
}
