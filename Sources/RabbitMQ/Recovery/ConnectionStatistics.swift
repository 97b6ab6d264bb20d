/// What has happened on a connection since it was made, and what waits on it, in numbers.
///
/// ```swift
/// let statistics = connection.statistics
/// print(statistics.unconfirmed, statistics.unknownOutcomes, statistics.timeBlocked)
/// ```
///
/// They go on when the connection is made again, and stay when it has ended. Each is read by itself, so that while messages
/// flow they need not fit each other to the last one.
public struct ConnectionStatistics: Sendable, Hashable {
    // MARK: Publishing

    /// Messages that were handed over to be sent, on any channel: requests and replies of RPC too. What is published
    /// again counts once.
    public internal(set) var published = 0
    /// Messages that were published again after their channel had ended (``RecoveryPolicy/Unconfirmed/resend``).
    public internal(set) var republished = 0
    /// Messages that the broker has confirmed (`basic.ack`).
    public internal(set) var confirmed = 0
    /// Messages that the broker did not take: `basic.nack`, or its reason for closing the channel.
    public internal(set) var nacked = 0
    /// Mandatory messages that came back because they reached no queue (`basic.return`).
    public internal(set) var returned = 0
    /// Messages on confirming channels of which the broker did not say what became of them: ``AMQPError/Code/outcomeUnknown``.
    public internal(set) var unknownOutcomes = 0

    // MARK: Consuming

    /// Messages that came: to consumers, and with ``Queue/get(noAck:)``.
    public internal(set) var delivered = 0
    /// Those of them that were delivered before, to whomever.
    public internal(set) var redelivered = 0
    /// Deliveries of which the broker was told that they are acknowledged.
    public internal(set) var acknowledged = 0
    /// Deliveries that the application has rejected, for the broker to deliver them again.
    public internal(set) var requeued = 0
    /// Deliveries that the application has rejected for good: they are dead-lettered, or dropped.
    public internal(set) var rejected = 0
    /// Deliveries that went back to their queues because nobody has seen them: their consumers have ended.
    public internal(set) var givenBack = 0
    /// Settlements that came too late: the channel was gone, and the broker delivers the message again.
    public internal(set) var staleSettlements = 0

    // MARK: The connection

    /// Bytes that the socket has taken; before encryption, with TLS.
    public internal(set) var bytesSent = 0
    /// Bytes that were received; after decryption, with TLS.
    public internal(set) var bytesReceived = 0
    /// How often the connection was lost, and was to be made again.
    public internal(set) var losses = 0
    /// How often it was made again.
    public internal(set) var recoveries = 0
    /// How long there was no connection, while it was made again.
    public internal(set) var timeDown = Duration.zero
    /// How long the broker took no messages (`connection.blocked`).
    public internal(set) var timeBlocked = Duration.zero
    /// How long nothing was read because too much waited for slow consumers (``ConnectionConfiguration/inboundHighWater``).
    public internal(set) var timePaused = Duration.zero

    // MARK: At present

    /// Channels that are open, or opened anew.
    public internal(set) var channels = 0
    /// Consumers on them.
    public internal(set) var consumers = 0
    /// Deliveries that wait to be settled.
    public internal(set) var unsettled = 0
    /// Messages that the broker has not confirmed yet.
    public internal(set) var unconfirmed = 0
    /// Publishes that wait for room, or for the broker to take messages again.
    public internal(set) var heldBackPublishers = 0
    /// Bytes that wait to be written.
    public internal(set) var outboundBytes = 0
    /// Bytes of deliveries that wait for consumers, as far as they count for pausing.
    public internal(set) var inboundBytes = 0

    /// Nothing yet.
    init() {}
}

extension ConnectionStatistics: CustomStringConvertible {
    /// All numbers but those that are zero, on one line.
    public var description: String {
        let numbers = Mirror(reflecting: self).children.compactMap { child -> String? in
            guard let label = child.label else { return nil }
            if let count = child.value as? Int, count == 0 { return nil }
            if let time = child.value as? Duration, time == .zero { return nil }
            return "\(label): \(child.value)"
        }
        return numbers.isEmpty ? "nothing yet" : numbers.joined(separator: ", ")
    }
}
