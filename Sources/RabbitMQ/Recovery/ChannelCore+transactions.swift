internal import Synchronization

/// Transactions end with their session: what was published and settled in them counts for nothing, and the next commit says
/// so instead of committing the rest.
extension ChannelCore {
    /// A commit on its way.
    struct Commit: Sendable {
        let session: ChannelSession
        let call: PendingCall
        /// When it began, in nanoseconds of ``MonotonicTime``: all that it waits for has one `callTimeout` together.
        let start: UInt64
    }

    /// Sends a commit when it has the turn.
    func sendCommit() async throws -> Commit {
        let start = MonotonicTime.now
        let session = try await ready()
        if let reason = takeLostTransaction() {
            // What was published since, which is the rest of what was lost.
            _ = try await session.answer(to: try await session.sendRollback(since: start), since: start)
            throw ChannelSession.transactionLost(reason)
        }
        do {
            let call = try await session.sendInTurn(.txCommit, since: start)
            return Commit(session: session, call: call, start: start)
        } catch let error as AMQPError {
            throw await takeLoss(of: session, after: error) ? ChannelSession.transactionLost(error) : error
        }
    }

    func answerToCommit(_ commit: Commit) async throws {
        do {
            _ = try await commit.session.answer(to: commit.call, since: commit.start)
        } catch let error as AMQPError {
            throw await takeLoss(of: commit.session, after: error) ? ChannelSession.transactionLost(error) : error
        }
    }

    /// Drops what was published and settled in the transaction, which is dropped too if its session is lost meanwhile.
    func rollback() async throws {
        let start = MonotonicTime.now
        let session = try await ready()
        _ = takeLostTransaction()
        do {
            _ = try await session.answer(to: try await session.sendRollback(since: start), since: start)
        } catch let error as AMQPError {
            guard await takeLoss(of: session, after: error) else { throw error }
        }
    }

    /// Whether a transaction has ended with its session, which whoever asks is told: the next one is clean.
    private func takeLoss(of session: ChannelSession, after error: AMQPError) async -> Bool {
        guard connection.configuration.recovery.isEnabled else { return false }
        if session.isOpen {
            // Its link has ended a moment ago, and it does at once.
            guard error.isConnectionFatal else { return false }
        }
        _ = await session.closed.wait(atMost: .seconds(1))
        return takeLostTransaction(of: session) != nil || error.isConnectionFatal
    }

    private func takeLostTransaction(of session: ChannelSession? = nil) -> AMQPError? {
        state.withLock { state in
            guard let lost = state.lostTransaction, session.map({ lost.session == ObjectIdentifier($0) }) ?? true else {
                return nil
            }
            state.lostTransaction = nil
            return lost.reason
        }
    }
}

/// A transaction that ended with its session.
struct LostTransaction: Sendable {
    let session: ObjectIdentifier
    let reason: AMQPError

    init(_ session: ChannelSession, _ reason: AMQPError) {
        self.session = ObjectIdentifier(session)
        self.reason = reason
    }
}

extension ChannelSession {
    fileprivate static func transactionLost(_ reason: AMQPError) -> AMQPError {
        AMQPError(
            .outcomeUnknown,
            "the transaction ended with the connection or the channel that it was on: \(reason.message)",
            underlying: reason
        )
    }
}
