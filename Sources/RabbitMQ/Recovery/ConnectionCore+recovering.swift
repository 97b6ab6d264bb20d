internal import Logging
internal import Synchronization

/// Making the connection again.
extension ConnectionCore {
    /// Tries until there is a connection again, with all that belongs to it, or until it is given up or closed.
    func recover() async {
        while let attempt = await waitForNextTry() {
            do {
                try await tryOnce()
                return
            } catch {
                let error = error as? AMQPError ?? AMQPError(.connectionLost, "\(error)", underlying: error)
                logger.debug(
                    "the connection could not be made again",
                    metadata: [LogKey.attempt: "\(attempt)", LogKey.reason: "\(error)"]
                )
                let givesUp = state.withLock { state in
                    // It may have been closed meanwhile.
                    guard state.recovery.outage != nil else { return false }
                    state.lastError = error
                    return !state.recovery.failed(error)
                }
                if givesUp { giveUp(error) }
            }
        }
    }

    /// - Returns: The number of the try; nil if there is none any more.
    private func waitForNextTry() async -> Int? {
        let nextTry = OneShot<Void>()
        let limit = longestDelayAtPresent
        let next = state.withLock { state in
            state.nextTry = nextTry
            return state.recovery.next(now: MonotonicTime.now, random: .random(in: 0...1), atMost: limit)
        }
        switch next {
        case .nothing: return nil
        case .giveUp(let error):
            giveUp(error)
            return nil
        case .tryAfter(let delay, let attempt):
            events.send(.trying(attempt: attempt, after: delay))
            let hears = state.withLock { $0.recovery.mayHearNews(after: delay) }
            if hears { ReturnNews.shared.add(nextTry, for: configuration.endpoints) }
            await withDeadline(after: delay) {
                nextTry.succeed(())
            } _: {
                try? await nextTry.value()
            }
            let hasHeard = hears && !ReturnNews.shared.remove(nextTry)
            let isClosed = state.withLock { state in
                if hasHeard { state.recovery.heardNews() }
                state.nextTry = nil
                if case .closed = state.recovery.phase { return true }
                return false
            }
            return isClosed ? nil : attempt
        }
    }

    /// While somebody waits for the connection, a part of the time that a publish has: one that waits must hear of a
    /// broker that was away for most of that time, and is back. The policy's longest delay may be as long as all of it.
    ///
    /// - Returns: nil while nobody waits. Whoever comes in the middle of a delay has as much time as that is long.
    private var longestDelayAtPresent: Duration? {
        let (channels, isAwaited) = state.withLock { ($0.channels, !$0.waiters.isEmpty) }
        // Channels have locks of their own, which are not taken under the connection's.
        let hasWaiters =
            isAwaited
            || channels.contains { channel in
                channel.state.withLock { !$0.waiters.isEmpty || !$0.unconfirmed.isEmpty }
            }
        return hasWaiters ? configuration.publishTimeout.clampedToCentury / 6 : nil
    }

    func giveUp(_ error: AMQPError) {
        logger.error("the connection could not be made again, and is given up", metadata: [LogKey.reason: "\(error)"])
        events.send(.gaveUp(error))
        finish(error)
    }

    private func tryOnce() async throws {
        let start = MonotonicTime.now
        let (configuration, base) = (configuration, base)
        // The one behind the lost: that one's node may be down, and take long to say so.
        let next = state.withLock { $0.endpoint + 1 }
        let opened = try await Self.openLink(configuration, beginningWith: next, logging: .debug) {
            Link(configuration: configuration, base: base)
        }
        let isWanted = state.withLock { state in
            if case .closed = state.recovery.phase { return false }
            state.link = opened.link
            state.parameters = opened.parameters
            state.endpoint = opened.endpoint
            state.lost = nil
            state.undeclared = []
            state.fleeting = [:]
            return true
        }
        guard isWanted else {
            opened.link.onQueue { $0.beginClosing() }
            return
        }
        // It may have ended before it was known that it belongs to us.
        if let reason = await opened.link.endReason { throw reason }
        let report: RecoveryReport
        do {
            report = try await restore(on: opened.link)
        } catch {
            await discard(opened.link, error)
            throw error
        }
        let now = MonotonicTime.now
        let (waiters, outage) = try state.withLock {
            state throws(AMQPError) -> ([OneShot<Void>], RecoveryState.Outage?) in
            if state.lost === opened.link { throw opened.link.ended.current ?? state.lastError ?? Self.lostAgain }
            let outage = state.recovery.restored(now: now)
            if let outage {
                // Under the lock: the next loss may come at once, and is told and counted behind this. It calls nobody.
                base.tally.recoveries.add(1)
                base.tally.down.stop(at: now)
                events.note(.recovered(report, after: outage.duration(at: now)))
            }
            defer { state.waiters = [] }
            return (state.waiters, outage)
        }
        guard let outage else { return }
        events.deliver()
        for waiter in waiters { waiter.succeed(()) }
        ReturnNews.shared.tell(configuration.endpoints)
        logger.notice(
            "the connection is there again",
            metadata: [
                LogKey.downFor: "\(outage.duration(at: now))", LogKey.attempt: "\(outage.attempts)",
                LogKey.took: "\(Duration.nanoseconds(Int64(clamping: MonotonicTime.now &- start)))",
                LogKey.refused: "\(report.refused.count)",
            ]
        )
        // Those that needed more time, or were closed again meanwhile.
        for channel in state.withLock({ $0.channels }) { channel.reopenAlone(after: outage.reason, on: opened.link) }
        retry(report.refused.filter(\.error.isRetryable).map(\.entity), on: opened.link)
    }

    /// Ends a link on which not everything could be brought back: the next one has its place.
    private func discard(_ link: Link, _ error: any Error) async {
        let reason = AMQPError(.connectionLost, "what belonged to the connection could not be brought back: \(error)")
        // One that is being closed says goodbye first.
        link.onQueue { if case .open = $0.phase { $0.end(reason) } }
        _ = await link.ended.wait(atMost: .seconds(1))
    }

    private static var lostAgain: AMQPError { AMQPError(.connectionLost, "the connection was lost again") }

    /// Brings back what belonged to the connection: sessions with their settings, what was declared, consumers; then lets
    /// messages through. Channels that need more time stay without a session.
    ///
    /// - Returns: What came back.
    private func restore(on link: Link) async throws -> RecoveryReport {
        var report = RecoveryReport()
        let (all, channelMax, formerNames) = state.withLock {
            ($0.channels, Int($0.parameters.channelMax), $0.formerNames)
        }
        // By tries that have failed since, of which nobody was told.
        for (name, former) in formerNames { report.renamed[former] = name }
        let channels = all.filter { $0.isWaiting && !$0.state.withLock { $0.isReopening } }
        // What is declared needs a channel too, if only for a while.
        let isTight = channels.count >= channelMax
        if isTight { try await replay(topology.everything, on: link, &report, waitsForEnd: true) }
        var reopenings: [(ChannelCore, ChannelCore.Reopening)] = []
        for channel in channels {
            do throws(AMQPError) {
                reopenings.append((channel, try channel.beginReopening(on: link)))
            } catch {
                try await require(link, after: error)
                channel.end(error)
            }
        }
        if !isTight { try await replay(topology.everything, on: link, &report) }
        try require(link)
        for index in reopenings.indices {
            do throws(AMQPError) {
                try reopenings[index].0.beginConsuming(&reopenings[index].1)
            } catch {
                // What has ended only the session is heard with the answers.
                try await require(link, after: error)
            }
        }
        for (channel, reopening) in reopenings {
            do {
                if try await channel.finishReopening(reopening) {
                    report.resent += try channel.completeReopening(reopening)
                } else {
                    report.resent += try await channel.reopen(on: link, isOneByOne: true)
                }
                report.channels += 1
                report.consumers += channel.state.withLock { $0.subscriptions.count }
            } catch let error as AMQPError {
                try await require(link, after: error)
                if !error.isRetryable { channel.end(error) }
            }
        }
        try require(link)
        return report
    }

    /// Throws if the link has ended, which is known a moment later than its calls fail.
    private func require(_ link: Link, after error: AMQPError) async throws {
        if error.isConnectionFatal { _ = await link.ended.wait(atMost: .seconds(1)) }
        try require(link)
    }

    private func require(_ link: Link) throws(AMQPError) {
        if let reason = link.ended.current { throw reason }
        if isLosing(link) { throw Self.lostAgain }
    }
}
