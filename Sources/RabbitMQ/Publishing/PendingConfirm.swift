internal import Logging
internal import Synchronization

/// The one outcome of one message on a confirming channel. Any number of tasks may wait for it.
///
/// A failure that nobody has looked at when the last reference goes is logged: no message is lost in silence.
final class PendingConfirm: Sendable {
    private enum State {
        case pending([OneShot<Void>])
        case confirmed
        case failed(AMQPError, isSeen: Bool)
    }

    private let state = Mutex(State.pending([]))
    private let session: ChannelSession

    init(session: ChannelSession) { self.session = session }

    deinit {
        guard case .failed(let error, false) = state.withLock({ $0 }) else { return }
        session.link.logger.error("a message that nobody waited for was not confirmed", metadata: ["error": "\(error)"])
    }

    /// Sets the outcome, nil being success; the first one counts.
    func resolve(_ error: AMQPError?) {
        let waiters = state.withLock { state -> [OneShot<Void>] in
            guard case .pending(let waiters) = state else { return [] }
            state = error.map { .failed($0, isSeen: !waiters.isEmpty) } ?? .confirmed
            return waiters
        }
        for waiter in waiters {
            if let error { waiter.fail(error) } else { waiter.succeed(()) }
        }
    }

    /// The outcome, once there is one.
    var outcome: Result<Void, AMQPError>? {
        state.withLock { state in
            switch state {
            case .pending: return nil
            case .confirmed: return .success(())
            case .failed(let error, _):
                state = .failed(error, isSeen: true)
                return .failure(error)
            }
        }
    }

    /// Waits for the outcome. A task that is cancelled stops waiting, which leaves the outcome to others.
    func wait(timeout: Duration?) async throws {
        let timeout = timeout ?? session.link.configuration.callTimeout
        let waiter = OneShot<Void>()
        let isPending = state.withLock { state in
            guard case .pending(let waiters) = state else { return false }
            state = .pending(waiters + [waiter])
            return true
        }
        guard isPending else {
            try outcome?.get()
            return
        }
        try await withDeadline(after: timeout) {
            waiter.fail(AMQPError(.timedOut, "the broker did not confirm the message within \(timeout)"))
        } _: {
            try await waiter.value()
        }
    }
}
