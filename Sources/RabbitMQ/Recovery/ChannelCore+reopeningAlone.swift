internal import Logging
internal import Synchronization

/// A channel that is opened anew by itself.
extension ChannelCore {
    /// Opens a channel anew that the broker has closed while the connection goes on, or that could not be opened with the
    /// others: with back-off, until it works, or the connection is lost, or nobody wants it any more.
    ///
    /// - Parameter link: On which; nothing is done if there is another one by now, or none: then it is opened with the others.
    func reopenAlone(after reason: AMQPError, on link: Link?) {
        guard let link, connection.openLink === link else { return }
        let begins = state.withLock { state in
            guard state.isWaiting, !state.isReopening else { return false }
            state.isReopening = true
            return true
        }
        guard begins else { return }
        // Lost between the two: the recovery that follows would leave out what is opened alone.
        guard connection.openLink === link else {
            state.withLock { $0.isReopening = false }
            // That recovery may have looked for what is left already.
            return reopenAlone(after: reason, on: connection.openLink)
        }
        connection.configuration.logger.warning(
            "a channel is opened anew",
            metadata: [LogKey.channel: "\(number)", LogKey.reason: "\(reason)"]
        )
        Task { [weak self] in
            guard let connection = self?.connection else { return }
            var last = reason
            while let self {
                try? await DeadlineTimer.shared.sleep(for: self.nextDelay())
                guard self.isWaiting, let link = connection.openLink else { break }
                do {
                    try await connection.declareAgain(missedBy: last, on: link)
                    try await connection.declareAgain(self.state.withLock { $0.subscriptions.map(\.queue) }, on: link)
                    try await self.reopen(on: link)
                    connection.configuration.logger.notice(
                        "the channel is open again",
                        metadata: [LogKey.channel: "\(self.number)"]
                    )
                    break
                } catch let error as AMQPError {
                    last = error
                    if error.isConnectionFatal { _ = await link.ended.wait(atMost: .seconds(1)) }
                    if link.ended.current != nil { break }
                    if !error.isRetryable {
                        self.end(error)
                        break
                    }
                } catch { break }
            }
            self?.state.withLock { $0.isReopening = false }
            // Its link has ended meanwhile: then it is opened with the others, unless the next one is there already.
            if let self, self.isWaiting { self.reopenAlone(after: last, on: connection.openLink) }
        }
    }

    /// How long to wait before the next try. A channel that is closed again and again is opened no more often than one
    /// that can't be opened.
    private func nextDelay() -> Duration {
        let now = MonotonicTime.now
        return state.withLock { state in
            if state.readySince > 0 {
                state.schedule.ended(after: .nanoseconds(Int64(clamping: now &- state.readySince)))
                state.readySince = 0
            }
            state.schedule.skipFirst()
            return state.schedule.next(.random(in: 0...1))
        }
    }
}
