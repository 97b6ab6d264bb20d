internal import Synchronization

/// A cursor from which several tasks take: one waits for more, the others take what is at hand.
///
/// `@unchecked Sendable` is safe because ``cursor`` is only used under the lock, or by the one task that has set
/// ``isWaiting``, while no other uses it.
final class SharedCursor: @unchecked Sendable {
    private let cursor: DeliveryCursor
    private let isWaiting = Mutex(false)

    init(_ consumer: Consumer) { cursor = DeliveryCursor(consumer) }

    /// The next message, if it need not be waited for; nil as well while somebody waits for it.
    func nextAtHand() throws -> IncomingMessage? {
        try isWaiting.withLock { isWaiting in isWaiting ? nil : try cursor.nextAtHand() }
    }

    /// The next message, or nil if the consumer was cancelled. One task at a time may wait.
    func next() async throws -> IncomingMessage? {
        let message = try isWaiting.withLock { isWaiting in
            let message = try cursor.nextAtHand()
            isWaiting = message == nil
            return message
        }
        if let message { return message }
        defer { isWaiting.withLock { $0 = false } }
        return try await cursor.nextOfNextRun()
    }
}
