internal import DequeModule

/// Those who wait for something, first come, first served; who stops waiting does not stay listed.
///
/// A value. Leaving is cheap, because the line is swept only once half of it has left.
struct WaitingLine<Wish: Sendable>: Sendable {
    struct Waiter: Sendable {
        /// How much it waits for, or until what.
        let wish: Wish
        let signal: OneShot<Void>
    }

    private var waiters: Deque<Waiter> = []
    /// How many at most of ``waiters`` have stopped waiting.
    private var left = 0

    var isEmpty: Bool { waiters.isEmpty }

    /// How many are listed, those included who have left and were not swept yet.
    var count: Int { waiters.count }

    var first: Waiter? { waiters.first }

    /// Takes a place at the end of the line.
    mutating func join(_ wish: Wish) -> OneShot<Void> {
        let signal = OneShot<Void>()
        waiters.append(Waiter(wish: wish, signal: signal))
        return signal
    }

    /// Takes the first out of the line. It may have stopped waiting: then resolving it returns `false`.
    mutating func takeFirst() -> Waiter? {
        guard let first = waiters.popFirst() else { return nil }
        if first.signal.isSettled { left -= 1 }
        return first
    }

    /// Says that one of those who wait was settled by somebody else: by its cancellation or its deadline.
    mutating func leave() {
        left += 1
        guard left > waiters.count / 2 else { return }
        waiters.removeAll { $0.signal.isSettled }
        left = 0
    }

    /// Empties the line.
    mutating func takeAll() -> [Waiter] {
        defer { self = WaitingLine() }
        // `Array` of an empty deque writes to the storage that all empty arrays share: the thread sanitizer reports a race.
        return waiters.isEmpty ? [] : Array(waiters)
    }
}

/// A line in which all wait for the same.
extension WaitingLine where Wish == Void {
    mutating func join() -> OneShot<Void> { join(()) }

    mutating func popFirst() -> OneShot<Void>? { takeFirst()?.signal }

    mutating func removeAll() -> [OneShot<Void>] { takeAll().map(\.signal) }
}
