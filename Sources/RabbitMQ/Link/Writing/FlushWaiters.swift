internal import DequeModule

/// Who waits until what was handed over before is written, first come, first told. A value.
struct FlushWaiters {
    private struct Waiter {
        /// How many bytes have to be written by then, counted from the connection's first.
        let position: Int
        let written: OneShot<Void>
    }

    private var waiting: Deque<Waiter> = []
    /// How many at most of those who wait have stopped since they were looked through.
    private var left = 0

    var isEmpty: Bool { waiting.isEmpty }

    /// Those who have stopped may still count.
    var count: Int { waiting.count }

    /// Has somebody wait for a position, which is not before that of the last who did.
    mutating func wait(for position: Int) -> OneShot<Void> {
        let written = OneShot<Void>()
        waiting.append(Waiter(position: position, written: written))
        return written
    }

    /// Forgets one who has stopped waiting: once they are the half, as thousands that stop at the same time would each look
    /// through all the others.
    mutating func leave(_ written: OneShot<Void>) {
        written.fail(CancellationError())
        left += 1
        guard left > waiting.count / 2 else { return }
        left = 0
        waiting.removeAll { $0.written.isSettled }
    }

    /// Takes out those whose position is reached.
    mutating func take(upTo position: Int) -> [OneShot<Void>] {
        var taken: [OneShot<Void>] = []
        while let first = waiting.first, first.position <= position {
            if !first.written.isSettled { taken.append(first.written) }
            waiting.removeFirst()
        }
        return taken
    }

    /// Has nobody wait any more.
    mutating func removeAll() -> [OneShot<Void>] { take(upTo: .max) }
}
