internal import Synchronization

/// Who of this process waits to try a broker again, so that one that has reached it can tell another.
///
/// Each tells one, and that one the next when it is back: they come back soon, and not all at once. Without it a connection
/// for which nobody waits, as that of consumers, may be back half a minute after the publishers': so long its delays grow.
final class ReturnNews: Sendable {
    static let shared = ReturnNews()

    private struct Waiter {
        let nextTry: OneShot<Void>
        let endpoints: [ConnectionConfiguration.Endpoint]
    }

    private let waiters = Mutex<[ObjectIdentifier: Waiter]>([:])

    /// Has a wait end when somebody has reached one of these endpoints.
    func add(_ nextTry: OneShot<Void>, for endpoints: [ConnectionConfiguration.Endpoint]) {
        waiters.withLock { $0[ObjectIdentifier(nextTry)] = Waiter(nextTry: nextTry, endpoints: endpoints) }
    }

    /// - Returns: Whether it was still there: if not, it has ended by the news.
    @discardableResult
    func remove(_ nextTry: OneShot<Void>) -> Bool {
        waiters.withLock { $0.removeValue(forKey: ObjectIdentifier(nextTry)) } != nil
    }

    /// Ends the wait of one that waits for any of these endpoints.
    func tell(_ endpoints: [ConnectionConfiguration.Endpoint]) {
        let next = waiters.withLock { waiters -> OneShot<Void>? in
            let next = waiters.first { $0.value.endpoints.contains(where: endpoints.contains) }
            guard let next else { return nil }
            return waiters.removeValue(forKey: next.key)?.nextTry
        }
        next?.succeed(())
    }
}
