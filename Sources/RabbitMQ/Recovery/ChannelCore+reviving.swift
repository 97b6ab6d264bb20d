internal import Logging
internal import Synchronization

/// A channel that has ended while its connection goes on is made usable again.
extension ChannelCore {
    private enum Revival {
        /// It is for whoever asks to open it.
        case begins(after: AMQPError)
        /// Its session has ended a moment ago, and what follows is not decided yet.
        case ends(ChannelSession)
        /// It is open, or is opened anew.
        case isOpen
    }

    /// Opens a channel anew that the broker has closed for a reason that does not pass; waits for one that is opened anew
    /// anyhow.
    func revive() async throws {
        while true {
            let link = try await connection.readyLink()
            switch try beginReviving() {
            case .isOpen:
                _ = try await ready()
                return
            case .ends(let session): _ = await session.closed.wait(atMost: .seconds(1))
            case .begins(let reason):
                try await revive(on: link, after: reason)
                return
            }
        }
    }

    private func beginReviving() throws(AMQPError) -> Revival {
        let (logger, gauge) = (connection.logger, connection.base.gauge)
        return try state.withLock { state throws(AMQPError) in
            guard !state.isReleased else {
                throw AMQPError(.channelClosed, "the channel was closed by the application")
            }
            switch state.phase {
            case .waiting: return .isOpen
            case .ready: return state.session.isOpen ? .isOpen : .ends(state.session)
            case .ended(let reason):
                state.phase = .waiting
                state.isReopening = true
                state.lostTransaction = nil
                state.closed = Broadcast()
                state.returns = ReturnReporter(logger: logger, gauge: gauge)
                state.returns.setHandler(state.returnHandler)
                return .begins(after: reason)
            }
        }
    }

    private func revive(on link: Link, after reason: AMQPError) async throws {
        connection.add(self)
        do {
            try await reopen(on: link)
            state.withLock { $0.isReopening = false }
        } catch let error as AMQPError {
            // Its link has ended a moment ago.
            if error.isConnectionFatal { _ = await link.ended.wait(atMost: .seconds(1)) }
            state.withLock { $0.isReopening = false }
            // With its link: then it is opened with the others, or has been left for this to do.
            guard isWaiting, link.ended.current != nil, connection.goesOn else {
                // The time is that of who began, and may be shorter than the others'.
                if error.code == .timedOut { stopReviving(error) } else { end(error) }
                throw error
            }
            CallTimeout.withNone { reopenAlone(after: error, on: connection.openLink) }
            _ = try await ready()
        } catch {
            // Cancelled: it is closed as it was.
            state.withLock { $0.isReopening = false }
            stopReviving(reason)
            throw error
        }
        connection.logger.debug("a channel was opened again", metadata: [LogKey.channel: "\(number)"])
    }

    /// Ends it again, because whoever opens it waits no longer. While others wait who would have opened it themselves, it is
    /// opened for them.
    private func stopReviving(_ reason: AMQPError) {
        let session = session
        // A connection that is closed for good may have ended its channels before this one was among them.
        end(reason, sparesWaiters: connection.goesOn)
        guard isWaiting else { return session.closeInBackground() }
        CallTimeout.withNone { reopenAlone(after: reason, on: connection.openLink) }
    }

    // MARK: What is called with returned messages

    /// Sets what is called with returned messages, also once the channel was opened again after its end.
    func setReturnHandler(_ handler: ReturnReporter.Handler?) {
        let isOver = !connection.goesOn
        // What the old one holds goes with it, when the lock is released: it may be the channel.
        let (returns, _) = state.withLock { state in
            let old = state.returnHandler
            state.returnHandler = handler
            if case .ended = state.phase, isOver || state.isReleased { state.returnHandler = nil }
            return (state.returns, old)
        }
        returns.setHandler(handler)
    }
}

extension ConnectionCore {
    /// Whether it is not closed for good.
    fileprivate var goesOn: Bool {
        state.withLock { if case .closed = $0.recovery.phase { false } else { true } }
    }
}
