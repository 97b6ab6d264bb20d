internal import Synchronization

/// Calls and messages wait for a session.
extension ChannelCore {
    /// The session that takes calls, which is waited for.
    ///
    /// - Parameters:
    ///   - duration: How long at the most.
    ///   - expired: What is thrown then.
    func ready(atMost duration: Duration, expired: @autoclosure @escaping @Sendable () -> AMQPError) async throws
        -> ChannelSession
    {
        let start = MonotonicTime.now
        while true {
            let waiter: OneShot<Void>
            switch try place() {
            case .session(let session): return session
            case .wait(let signal): waiter = signal
            }
            do {
                // Looked at behind the place in the line: from then on a loss ends the wait.
                try requireConnection()
                try await withDeadline(after: duration.left(since: start)) {
                    waiter.fail(expired())
                } _: {
                    try await waiter.value()
                }
            } catch {
                state.withLock { $0.waiters.removeAll { $0 === waiter } }
                throw error
            }
        }
    }

    private enum Place {
        case session(ChannelSession)
        case wait(OneShot<Void>)
    }

    private func place() throws(AMQPError) -> Place {
        try state.withLock { state throws(AMQPError) in
            switch state.phase {
            case .ready: return .session(state.session)
            case .ended(let reason): throw reason.overAnotherCall
            case .waiting:
                let waiter = OneShot<Void>()
                state.waiters.append(waiter)
                return .wait(waiter)
            }
        }
    }

    /// Throws where nobody is to wait for a connection, and there is none. A channel that is opened anew by itself is
    /// waited for: its connection was not lost, and whoever heard so would connect again.
    private func requireConnection() throws(AMQPError) {
        guard connection.configuration.recovery.whileDown == .fail, !connection.isOpen else { return }
        throw .noConnection(after: state.withLock { $0.sessionEnd })
    }

    /// The connection is lost, for which those who wait for the channel are not to wait.
    func failWaiters(after reason: AMQPError) {
        for waiter in state.withLock({ $0.takeWaiters() }) { waiter.fail(AMQPError.noConnection(after: reason)) }
    }

    /// What whoever waits for a session waits for: a channel may be opened anew by itself, while its connection is well.
    private var whatIsMissing: String {
        connection.isOpen ? "the channel was closed" : "the connection was lost"
    }

    /// The session that takes calls, which is waited for as long as a call may take.
    func ready(timeout: Duration? = nil) async throws -> ChannelSession {
        let timeout = timeout ?? connection.configuration.timeoutOfCall
        return try await ready(
            atMost: timeout,
            expired: AMQPError(.timedOut, "\(self.whatIsMissing), and not there again within \(timeout)")
        )
    }

    /// Sends something, on another session if one ends before it is sent.
    func send<Sent>(timeout: Duration? = nil, _ body: (ChannelSession) throws(AMQPError) -> Sent) async throws -> (
        Sent, ChannelSession
    ) {
        let timeout = timeout ?? connection.configuration.timeoutOfCall
        let start = MonotonicTime.now
        while true {
            let session = try await ready(timeout: timeout.left(since: start))
            do throws(AMQPError) {
                return (try body(session), session)
            } catch {
                let left = timeout.left(since: start)
                guard await waitForSuccessor(of: session, after: error, atMost: left) else { throw error }
            }
        }
    }

    /// Sends a method and waits for the broker's answer.
    ///
    /// A call on its way when the connection is lost fails: it may have been carried out. One that was not sent yet waits.
    ///
    /// - Parameter method: What to send. Asked for once there is a session: a queue that the broker named may have got
    ///   another name while the call waited.
    func call(_ method: @autoclosure () -> ClientMethod, timeout: Duration? = nil) async throws -> Reply {
        let start = MonotonicTime.now
        let (call, session) = try await send(timeout: timeout) { session throws(AMQPError) in
            try session.begin(method())
        }
        return try await session.answer(to: call, timeout: timeout, since: start)
    }

    /// Whether what a session did not take is for another one, which takes its place. It waits for the session's end if
    /// only its link has ended yet.
    private func waitForSuccessor(
        of session: ChannelSession,
        after error: AMQPError,
        atMost left: Duration
    ) async -> Bool {
        guard connection.configuration.recovery.isEnabled else { return false }
        if session.isOpen {
            // Its link has ended a moment ago, and it does at once.
            guard error.isConnectionFatal else { return false }
            _ = await session.closed.wait(atMost: min(.seconds(1), left))
        }
        return state.withLock { state in
            switch state.phase {
            case .waiting: true
            case .ready: state.session !== session
            case .ended: false
            }
        }
    }

    // MARK: Messages

    /// Publishes a message that was checked, waiting for what is to be waited for: a session, room, the broker's flow, the
    /// answer to a commit, a place among the unconfirmed; for all of them together no longer than the configuration's
    /// `publishTimeout`.
    func publish(_ publish: Publish) async throws -> PublishReceipt {
        guard publish.isTraced, let tracing = connection.configuration.tracing else {
            return try await publishUntraced(publish)
        }
        return try await tracing.publishing(
            publish.message,
            exchange: publish.exchange,
            routingKey: publish.routingKey
        ) { message in
            var publish = publish
            publish.message = message
            return try await publishUntraced(publish)
        }
    }

    private func publishUntraced(_ publish: Publish) async throws -> PublishReceipt {
        let start = MonotonicTime.now
        let timeout = connection.configuration.timeoutOfPublish
        while true {
            let session = try await ready(
                atMost: timeout.left(since: start),
                expired: AMQPError(
                    .blockedTooLong,
                    "\(self.whatIsMissing), and publishing took longer than \(timeout)"
                )
            )
            var publish = publish
            if let key = currentKey(publish.exchange, publish.routingKey) { publish.routingKey = key }
            do {
                return try await session.publish(publish, since: start)
            } catch let error as AMQPError {
                // What throws has sent nothing.
                let left = timeout.left(since: start)
                guard await waitForSuccessor(of: session, after: error, atMost: left) else { throw error }
            }
        }
    }

    /// The messages that the broker has not confirmed, in order.
    var unconfirmed: [PendingConfirm] {
        while true {
            let session = session
            // Both at once: they go from one to the other.
            let found = session.state.withLock { ofSession in
                state.withLock { state -> [PendingConfirm]? in
                    guard state.session === session else { return nil }
                    let sent = ofSession.confirms?.pending ?? []
                    guard !state.resending.isEmpty || !state.unconfirmed.isEmpty else { return sent }
                    let isSent = Set(sent.map { ObjectIdentifier($0) })
                    let resending = state.resending.map(\.confirm).filter { !isSent.contains(ObjectIdentifier($0)) }
                    return sent + resending + state.unconfirmed.map(\.confirm)
                }
            }
            if let found { return found }
        }
    }
}

extension AMQPError {
    /// What is thrown to whoever doesn't wait for a connection that is made again, whatever it ended with.
    static func noConnection(after reason: AMQPError?) -> AMQPError {
        AMQPError(
            .connectionLost,
            "there is no connection at present: \(reason?.message ?? "it is made again")",
            underlying: reason
        )
    }
}
