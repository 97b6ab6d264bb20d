internal import Logging

/// Publishes what waits for another attempt, or is parked, until the broker has confirmed it. It has a channel of its own.
final class RetrySender: Sendable {
    /// What became of a message.
    enum Outcome {
        /// The broker has it.
        case confirmed
        /// It was not published, or nobody knows whether it was, and there is no sense in trying on: its delivery is with the
        /// broker again, or has to go there. Then it may be there twice, which nobody has said yet.
        case abandoned(mayBeThereTwice: Bool)
        /// It can't be published as it is.
        case refused(AMQPError)
    }

    private let channel: Channel
    private let spare: SpareChannel
    private let topology: Topology?
    private var connection: Connection { channel.connection }

    /// - Parameter topology: What is declared, now and whenever a queue is missing; nil if nothing is.
    init(connection: Connection, declaring topology: Topology?) async throws {
        self.topology = topology
        try await topology?.apply(on: connection)
        // What a lost connection leaves unconfirmed is not published again: the deliveries that it stands in for come again.
        // If what follows throws, it is closed when it goes.
        channel = try await connection.openChannel(publishingAgain: false)
        try await channel.selectConfirms(maxUnconfirmed: Self.maxUnconfirmed)
        spare = SpareChannel(of: connection, publishesAgain: false, maxUnconfirmed: Self.maxUnconfirmed)
    }

    /// As channels have it by default.
    private static let maxUnconfirmed = 1000

    func close() async {
        await spare.close()
        await channel.close()
    }

    /// Publishes a message in place of a delivery.
    ///
    /// It tries on for as long as the delivery can be settled: while the queue is missing, refuses messages, or the broker
    /// takes none. Where that may put the message there twice, it says so in the log. Once `isStopping` says so, only for what
    /// is under way: what is published, no longer than a call may take; what waits for that, no longer than a second.
    func send(
        _ message: Message,
        to queue: String,
        for delivery: IncomingMessage,
        isStopping: @escaping @Sendable () -> Bool
    ) async -> Outcome {
        var schedule = Self.schedule
        var receipt: PublishReceipt?
        var (refusals, other): (Int, Channel?) = (0, nil)
        while !delivery.isStale {
            do {
                let pending: PublishReceipt
                if let receipt {
                    pending = receipt
                } else {
                    (pending, other) = try await publish(
                        message,
                        to: queue,
                        for: delivery,
                        after: refusals,
                        isStopping: isStopping
                    )
                    receipt = pending
                }
                try await pending.confirmed()
                return .confirmed
            } catch let error as AMQPError {
                // One that the broker has not spoken of yet is waited for on: to publish it again would double it.
                if error.code != .timedOut { receipt = nil }
                if error.code == .nacked { refusals += 1 }
                if let other { spare.heard(error, from: other) }
                if error.isOfMessage { return .refused(error) }
                if isStopping() || delivery.isStale {
                    return .abandoned(mayBeThereTwice: receipt != nil || error.leavesACopy)
                }
                if receipt != nil { continue }
                if error.code == .undeliverable, queue == delivery.source.queue {
                    // Deleted, and the delivery with it, or on a node that is down, which has both. To try on would keep
                    // whoever processes it from hearing that the consumer has ended, for as long as nobody declares it.
                    connection.core.logger.warning(
                        "a message was to be tried again at once, but its queue is gone",
                        metadata: [LogKey.queue: "\(queue.printable())", LogKey.deliveryTag: "\(delivery.deliveryTag)"]
                    )
                    return .abandoned(mayBeThereTwice: false)
                }
                // What that says of a second copy is in the log.
                guard await mend(error, queue, &schedule) else { return .abandoned(mayBeThereTwice: false) }
            } catch {
                return .abandoned(mayBeThereTwice: receipt != nil)
            }
        }
        return .abandoned(mayBeThereTwice: receipt != nil)
    }

    /// Publishes a message, but not behind its delivery: on the connection over which that came, and while it can be settled.
    /// A publish that waits would else go out on the next one, where the broker delivers the message again.
    ///
    /// It is not traced: the context of its publisher's span would be lost under that of this one.
    ///
    /// - Parameter refusals: How often the broker has refused it: the own channel may be at fault (``SpareChannel``).
    /// - Returns: Its outcome to wait for, and the channel, if that is not the own one.
    private func publish(
        _ message: Message,
        to queue: String,
        for delivery: IncomingMessage,
        after refusals: Int,
        isStopping: @escaping @Sendable () -> Bool
    ) async throws -> (PublishReceipt, Channel?) {
        try message.validate()
        try ShortString.validate(queue, name: "routing key")
        let publish = Publish(
            message: message,
            exchange: "",
            routingKey: queue,
            mandatory: true,
            isTraced: false,
            standsInFor: delivery.source.session
        )
        // One wait: with several of them it would go to the end of the line with each, and others before it for ever.
        let publishing = Task { [channel, spare, connection] () async throws -> (PublishReceipt, Channel?) in
            if refusals > 0 {
                let timeout = connection.core.configuration.timeoutOfPublish
                if let other = try await spare.handOver(publish, refusals: refusals, within: timeout) { return other }
            }
            return (try await channel.core.publish(publish), nil)
        }
        // A shutdown would else wait for as long as a publish may take where the broker takes none. What is cancelled has sent
        // nothing.
        let watching = Task {
            repeat { try await DeadlineTimer.shared.sleep(for: Self.interval) } while !isStopping() && !delivery.isStale
            publishing.cancel()
        }
        defer { watching.cancel() }
        return try await publishing.value
    }

    /// How often one that waits looks whether it is still to.
    private static let interval = Duration.seconds(1)

    /// From 5 ms up to 2 s.
    private static var schedule: RecoverySchedule {
        var policy = RecoveryPolicy()
        policy.maxDelay = .seconds(2)
        return RecoverySchedule(policy)
    }

    /// Does what there is to do about an error, and waits a little.
    ///
    /// - Returns: Whether to try again.
    private func mend(_ error: AMQPError, _ queue: String, _ schedule: inout RecoverySchedule) async -> Bool {
        let delay = schedule.next(.random(in: 0.5...1))
        connection.core.logger.warning(
            error.leavesACopy
                ? "a message that is to be tried again, or parked, is published again, and may be there twice"
                : "a message that is to be tried again, or parked, could not be published",
            metadata: [LogKey.queue: "\(queue.printable())", LogKey.error: "\(error)", LogKey.nextTryIn: "\(delay)"]
        )
        try? await DeadlineTimer.shared.sleep(for: delay)
        do {
            if error.code == .undeliverable { try await topology?.apply(on: connection) }
            if channel.closeReason != nil { try await channel.reopen() }
        } catch let error as AMQPError {
            return !error.isConnectionFatal && error.code != .channelClosed
        } catch {
            return false
        }
        return true
    }
}

extension AMQPError {
    /// Whether it is the message that can't be sent, whenever that is tried.
    fileprivate var isOfMessage: Bool { code == .invalidMessage || code == .invalidArgument }

    /// Whether the broker may have the message all the same. It refuses one too where what holds its queue fails, which may
    /// have stored it. Not to publish it again might lose it.
    fileprivate var leavesACopy: Bool { code == .nacked || code == .outcomeUnknown }
}
