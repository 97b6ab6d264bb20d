internal import Synchronization

/// Transactions end with their session: what was published and settled in them counts for nothing, and the next commit says
/// so instead of committing the rest.
extension ChannelCore {
    /// A commit on its way.
    struct Commit: Sendable {
        let session: ChannelSession
        let call: PendingCall
    }

    /// Sends a commit when it has the turn.
    func sendCommit() async throws -> Commit {
        let session = try await ready()
        if let reason = takeLostTransaction() {
            // What was published since, which is the rest of what was lost.
            _ = try await session.answer(to: try await session.sendRollback())
            throw ChannelSession.transactionLost(reason)
        }
        return Commit(session: session, call: try await session.sendInTurn(.txCommit))
    }

    func answerToCommit(_ commit: Commit) async throws {
        do {
            _ = try await commit.session.answer(to: commit.call)
        } catch let error as AMQPError {
            guard connection.configuration.recovery.isEnabled, error.isConnectionFatal else { throw error }
            // This one is told, and nothing of the next is lost.
            _ = await commit.session.closed.wait(atMost: .seconds(1))
            _ = takeLostTransaction()
            throw ChannelSession.transactionLost(error)
        }
    }

    func rollback() async throws {
        let session = try await ready()
        _ = takeLostTransaction()
        _ = try await session.answer(to: try await session.sendRollback())
    }

    private func takeLostTransaction() -> AMQPError? {
        state.withLock { state in
            defer { state.lostTransaction = nil }
            return state.lostTransaction
        }
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
