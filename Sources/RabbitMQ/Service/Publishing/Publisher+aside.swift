internal import Synchronization

/// Beside its own channel a publisher has another one for what the broker refuses again and again.
///
/// RabbitMQ 3.10 refuses on one channel what it takes on another: of a quorum queue, all that comes on a channel on which the
/// first message came before the queue had a leader again, as long as the node of the old one is away.
extension Publisher {
    /// After so many refusals on its own channel a message goes to the other one, and again after as many. With the pauses
    /// between, half a second has passed then: mostly there is a new leader.
    static let refusalsUntilAside = 4

    /// Hands a message that was refused to the other channel, if it is time for that.
    ///
    /// - Parameter refusals: How often it was refused.
    /// - Returns: Its outcome to wait for, and the channel; nil if it has to go the usual way.
    func handOverAside(
        _ publish: Publish,
        refusals: Int,
        within timeout: Duration
    ) async throws -> (receipt: PublishReceipt, channel: Channel)? {
        // Where there is one, it has taken what the own channel was refused. Each fourth time only: else a queue that is full
        // has a channel opened and closed for each try.
        guard refusals % Self.refusalsUntilAside == 0 || state.withLock({ $0.aside != nil }) else { return nil }
        var used: Channel?
        do {
            let start = MonotonicTime.now
            let channel = try await channelAside(within: timeout)
            used = channel
            return try await CallTimeout.$current.withValue(timeout.left(since: start)) {
                (try await channel.core.publish(publish), channel)
            }
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            // Nothing was sent. What is wrong with the message, its own channel tells.
            if let used, used.closeReason != nil { giveUpAside(used) }
            return nil
        }
    }

    /// Does without a channel that has refused a message, too, or was closed. It closes when those who use it let go of it.
    func giveUpAside(_ channel: Channel) {
        let old = state.withLock { state -> Channel? in
            guard state.aside === channel else { return nil }
            defer { state.aside = nil }
            return state.aside
        }
        // Closed without the lock.
        withExtendedLifetime(old) {}
    }

    /// The other channel, opened once for all who need it.
    private func channelAside(within timeout: Duration) async throws -> Channel {
        let known = state.withLock { state -> (channel: Channel?, opening: Task<Channel, any Error>?) in
            if state.isClosed { return (nil, nil) }
            if let aside = state.aside { return (aside, nil) }
            if let opening = state.openingAside { return (nil, opening) }
            let opening = CallTimeout.withNone {
                Task { [options, connection = channel.connection, weak self] in
                    defer { self?.state.withLock { $0.openingAside = nil } }
                    let channel = try await connection.openChannel(publishingAgain: options.unknown == .publishAgain)
                    try await channel.selectConfirms(maxUnconfirmed: options.maxUnconfirmed)
                    let isKept = self?.state.withLock { state -> Bool in
                        guard !state.isClosed else { return false }
                        state.aside = channel
                        return true
                    }
                    // Else it would be open for as long as somebody holds the publisher.
                    guard isKept == true else { throw Publisher.closed }
                    return channel
                }
            }
            state.openingAside = opening
            return (nil, opening)
        }
        if let channel = known.channel { return channel }
        guard let opening = known.opening else { throw Self.closed }
        let late = AMQPError(.blockedTooLong, "another channel is opened, which took longer than \(timeout)")
        return try await Self.value(of: opening, within: timeout, otherwise: late)
    }
}
