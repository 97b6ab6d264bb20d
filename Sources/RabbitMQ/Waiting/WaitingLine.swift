internal import DequeModule

/// Those who wait for something, first come, first served; who stops waiting does not stay listed.
///
/// A value. Leaving is cheap, because the line is swept only once half of it has left.
struct WaitingLine: Sendable {
    private var waiters: Deque<OneShot<Void>> = []
    /// How many at most of ``waiters`` have stopped waiting.
    private var left = 0

    var isEmpty: Bool { waiters.isEmpty }

    /// How many are listed, those included who have left and were not swept yet.
    var count: Int { waiters.count }

    /// Takes a place at the end of the line.
    mutating func join() -> OneShot<Void> {
        let waiter = OneShot<Void>()
        waiters.append(waiter)
        return waiter
    }

    /// Takes the first out of the line. It may have stopped waiting: then resolving it returns `false`.
    mutating func popFirst() -> OneShot<Void>? {
        guard let first = waiters.popFirst() else { return nil }
        if first.isSettled { left -= 1 }
        return first
    }

    /// Says that one of those who wait was settled by somebody else: by its cancellation or its deadline.
    mutating func leave() {
        left += 1
        guard left > waiters.count / 2 else { return }
        waiters.removeAll { $0.isSettled }
        left = 0
    }

    /// Empties the line.
    mutating func removeAll() -> [OneShot<Void>] {
        defer { self = WaitingLine() }
        // An array of an empty deque would be written to the empty array that all share, where the thread sanitizer sees it.
        return waiters.isEmpty ? [] : Array(waiters)
    }
}
