/// What is known of a message's earlier deliveries. A value; RabbitMQ counts differently from version to version, and what
/// it doesn't say itself a publisher may say in its place.
///
/// Quorum queues count what was returned to them: before 4.0 always, from 0, for each queue anew; from 4.0 on when there is
/// something to count (`x-delivery-count`), and the count goes with the message when it is dead-lettered, so that the next
/// queue shows it, and the message as redelivered, at its first delivery. What 4.0 to 4.2 show after that counts from 1
/// again. From 4.3 on `x-delivery-count` leaves out what was given back by basic.nack, and `x-acquired-count` counts all
/// returns to this queue; classic queues take the mark, without a count.
struct DeliveryHistory: Hashable, Sendable {
    var redelivered = false
    /// `x-delivery-count` and `x-acquired-count`, as far as they are numbers.
    var returns: Int?
    var acquisitions: Int?
    /// How often it was dead-lettered after a failure.
    var failures = 0
    /// Whether it was dead-lettered for any reason.
    var hasDied = false
    /// nil if it isn't known.
    var queueType: QueueType?
    /// nil if the broker is none of RabbitMQ's.
    var version: ServerVersion?

    /// Whether it was returned to this queue after a failure.
    enum Return {
        case no, yes
        /// The headers of its first delivery here could look the same.
        case unclear
    }

    private func isBefore(_ major: Int, _ minor: Int) -> Bool { version.map { !$0.isAtLeast(major, minor) } ?? false }
    private func isFrom(_ major: Int, _ minor: Int) -> Bool { version?.isAtLeast(major, minor) ?? false }

    /// How often a quorum queue says that it was returned after a failure; nil if none says it.
    ///
    /// A quorum queue's own count stands only on what was delivered before: any other is a publisher's.
    var count: Int? {
        guard redelivered, queueType != .classic, queueType != .stream else { return nil }
        if isFrom(4, 3) || (version == nil && acquisitions != nil) {
            guard let acquisitions, acquisitions > 0 else { return nil }
            return max(0, returns ?? 0)
        }
        return returns.flatMap { $0 > 0 ? $0 : nil }
    }

    /// Which attempt to process it this is, from 1; one that can't be told apart from another doesn't count.
    var attempt: Int {
        let once = redelivered ? 1 : 0
        let earlier =
            if let count {
                isBefore(4, 0) ? count.addingSaturated(failures) : max(count, failures)
            } else {
                isFrom(4, 3) ? max(once, failures) : once.addingSaturated(failures)
            }
        return earlier.addingSaturated(1)
    }

    /// Whether it was tried in this queue before.
    var wasReturned: Return {
        guard redelivered else { return .no }
        if let count {
            if isBefore(4, 0) { return .yes }
            guard isFrom(4, 3) || acquisitions != nil else { return hasDied && count <= failures ? .unclear : .yes }
            if count == 0 { return queueType == .quorum ? .no : .unclear }
            // A count that came along is more than what this queue has counted.
            if let acquisitions, acquisitions < count { return .yes }
            return hasDied ? .unclear : .yes
        }
        return isFrom(4, 3) && hasDied ? .unclear : .yes
    }

    /// Whether there is a count in its headers, whoever has put it there.
    var hasCount: Bool { returns != nil || acquisitions != nil }

    /// Whether it can have been remembered, at an earlier delivery, as one whose returns will not be told.
    var mayBeRemembered: Bool { hasDied || hasCount }

    /// Whether it has a count that no broker gives to a first delivery.
    var hasForeignCount: Bool {
        guard !redelivered else { return false }
        return isFrom(4, 0) ? returns != nil || acquisitions != nil : (returns ?? 0) != 0
    }
}

extension IncomingMessage {
    var history: DeliveryHistory {
        let deaths = message.deaths
        return DeliveryHistory(
            redelivered: redelivered,
            returns: message.header("x-delivery-count")?.intValue,
            acquisitions: message.header("x-acquired-count")?.intValue,
            failures: deaths.lazy.filter { $0.reason == .rejected || $0.reason == .deliveryLimit }
                .reduce(0) { $0.addingSaturated($1.count) },
            hasDied: !deaths.isEmpty,
            queueType: source.queueType,
            version: source.version
        )
    }

    /// Which attempt to process the message this is, from 1, as far as can be told.
    ///
    /// It counts earlier failures in this queue, as a quorum queue counts them (``Message/deliveryCount``), or else one if
    /// the message was ``redelivered``, where it may have been more. To them come its ``Message/deaths`` by
    /// ``Death/Reason/rejected`` and ``Death/Reason/deliveryLimit``, of which each was at least one attempt: so a message
    /// that is rejected, and comes back from a dead-letter queue where it waited, is counted too; and so is what a
    /// `RetryPolicy` has tried. From RabbitMQ 4.0 on the
    /// count goes along when a message is dead-lettered, so that the larger of the two numbers counts. What was given back
    /// unseen counts with a quorum queue before RabbitMQ 4.3.
    public var attempt: Int { history.attempt.addingSaturated(retries) }

    /// Where what has it tried again notes how often it failed, and in which queue.
    static let retryAttempt = "x-retry-attempt"
    static let retryQueue = "x-retry-queue"

    /// How often it failed in this queue before, and came back to it by way of others.
    private var retries: Int {
        guard let retries = message.header(Self.retryAttempt)?.intValue,
            message.header(Self.retryQueue)?.stringValue == source.queue
        else { return 0 }
        return max(0, retries)
    }
}

extension Int {
    /// The sum, or the largest number there is. For what a peer sent.
    fileprivate func addingSaturated(_ other: Int) -> Int {
        let (sum, overflows) = addingReportingOverflow(other)
        return overflows ? .max : sum
    }
}
