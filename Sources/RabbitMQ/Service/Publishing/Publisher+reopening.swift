internal import Synchronization

/// The broker closes a channel over one message: for all others it is opened again.
extension Publisher {
    /// Whether it is the end of the channel, and not of the connection or of the publisher: then it can be opened again.
    func hasEnded(_ error: AMQPError) -> Bool {
        guard !error.isConnectionFatal, error.code != .channelClosed else { return false }
        // An opening that failed is an end too: that of a channel has these codes, and nothing else that publishing throws.
        return error.isChannelFatal || error.code == .timedOut || error.code == .tooManyChannels
    }

    /// Opens the channel again, once for all who need it, and also if one of them is cancelled or waits no longer.
    func reopen(within duration: Duration) async throws {
        let task = state.withLock { state -> Task<Void, any Error> in
            if let reopening = state.reopening { return reopening }
            let reopening = CallTimeout.withNone {
                Task { [channel, weak self] in
                    defer { self?.state.withLock { $0.reopening = nil } }
                    do {
                        try await channel.reopen()
                    } catch let error as AMQPError where error.code == .timedOut {
                        // To whoever publishes, that code says that the message may have arrived.
                        throw AMQPError(
                            .blockedTooLong,
                            "the channel could not be opened again: \(error.message)",
                            underlying: error
                        )
                    }
                }
            }
            state.reopening = reopening
            return reopening
        }
        let late = AMQPError(.blockedTooLong, "the channel is opened again, which took longer than \(duration)")
        try await task.sharedValue(within: duration, otherwise: late)
    }
}
