internal import Synchronization

/// Another channel beside the own one of a publisher that publishes again what the broker refuses.
///
/// RabbitMQ 3.10 refuses on one channel what it takes on another: of a quorum queue, all that comes on a channel on which the
/// first message came before the queue had a leader again, as long as the node of the old one is away.
final class SpareChannel: Sendable {
    /// After so many refusals on its own channel a message goes to the other one, and again after as many. With the pauses
    /// between, half a second has passed then: mostly there is a new leader.
    static let refusalsUntilUse = 4

    private struct State {
        /// As long as it takes what the own one was refused.
        var channel: Channel?
        /// Opens it, for all who need it.
        var opening: Task<Channel, any Error>?
        /// Whether there is no other channel any more.
        var isClosed = false
    }

    private let connection: Connection
    private let publishesAgain: Bool
    private let maxUnconfirmed: Int
    private let state = Mutex(State())

    init(of connection: Connection, publishesAgain: Bool, maxUnconfirmed: Int) {
        self.connection = connection
        self.publishesAgain = publishesAgain
        self.maxUnconfirmed = maxUnconfirmed
    }

    /// What was published on it, and the broker has not answered for.
    var unconfirmed: [PendingConfirm] { state.withLock { $0.channel }?.core.unconfirmed ?? [] }

    /// Hands a message over that was refused, if it is time for that.
    ///
    /// - Parameter refusals: How often it was refused.
    /// - Returns: Its outcome to wait for, and the channel; nil if it has to go the usual way.
    func handOver(
        _ publish: Publish,
        refusals: Int,
        within timeout: Duration
    ) async throws -> (receipt: PublishReceipt, channel: Channel)? {
        // Where there is one, it has taken what the own channel was refused. Each fourth time only: else a queue that is full
        // has a channel opened and closed for each try.
        guard refusals % Self.refusalsUntilUse == 0 || state.withLock({ $0.channel != nil }) else { return nil }
        var used: Channel?
        do {
            let start = MonotonicTime.now
            let channel = try await channel(within: timeout)
            used = channel
            return try await CallTimeout.$current.withValue(timeout.left(since: start)) {
                (try await channel.core.publish(publish), channel)
            }
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            // Nothing was sent. What is wrong with the message, its own channel tells.
            if let used, used.closeReason != nil { giveUp(used) }
            return nil
        }
    }

    /// A message that was handed over to a channel was not confirmed: does without that channel, if it has refused it, too, or
    /// was closed. It closes when those who use it let go of it.
    func heard(_ error: AMQPError, from channel: Channel) {
        // Not over a deadline, or a message that reaches no queue: those say nothing of the channel.
        if error.code == .nacked || channel.closeReason != nil { giveUp(channel) }
    }

    private func giveUp(_ channel: Channel) {
        let old = state.withLock { state -> Channel? in
            guard state.channel === channel else { return nil }
            defer { state.channel = nil }
            return state.channel
        }
        // Closed without the lock.
        withExtendedLifetime(old) {}
    }

    /// Closes it, and opens none any more.
    func close() async {
        let channel = state.withLock { state -> Channel? in
            state.isClosed = true
            defer { state.channel = nil }
            return state.channel
        }
        await channel?.close()
    }

    /// The channel, opened once for all who need it.
    private func channel(within timeout: Duration) async throws -> Channel {
        let known = state.withLock { state -> (channel: Channel?, opening: Task<Channel, any Error>?) in
            if state.isClosed { return (nil, nil) }
            if let channel = state.channel { return (channel, nil) }
            if let opening = state.opening { return (nil, opening) }
            let opening = CallTimeout.withNone {
                Task { [connection, publishesAgain, maxUnconfirmed, weak self] in
                    defer { self?.state.withLock { $0.opening = nil } }
                    let channel = try await connection.openChannel(publishingAgain: publishesAgain)
                    try await channel.selectConfirms(maxUnconfirmed: maxUnconfirmed)
                    let isKept = self?.state.withLock { state -> Bool in
                        guard !state.isClosed else { return false }
                        state.channel = channel
                        return true
                    }
                    // Else it would be open for as long as somebody holds this.
                    guard isKept == true else { throw Self.closed }
                    return channel
                }
            }
            state.opening = opening
            return (nil, opening)
        }
        if let channel = known.channel { return channel }
        guard let opening = known.opening else { throw Self.closed }
        let late = AMQPError(.blockedTooLong, "another channel is opened, which took longer than \(timeout)")
        return try await opening.sharedValue(within: timeout, otherwise: late)
    }

    private static var closed: AMQPError { AMQPError(.channelClosed, "the publisher was closed by the application") }
}
