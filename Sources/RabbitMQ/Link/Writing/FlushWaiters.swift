/// Who waits until what was handed over before is written, first come, first told. A value.
struct FlushWaiters {
    /// Each waits until so many bytes are written, counted from the connection's first.
    private var line = WaitingLine<Int>()

    var isEmpty: Bool { line.isEmpty }

    /// Those who have stopped may still count.
    var count: Int { line.count }

    /// Has somebody wait for a position, which is not before that of the last who did.
    mutating func wait(for position: Int) -> OneShot<Void> { line.join(position) }

    /// Forgets one who has stopped waiting.
    mutating func leave(_ written: OneShot<Void>) {
        written.fail(CancellationError())
        line.leave()
    }

    /// Takes out those whose position is reached.
    mutating func take(upTo position: Int) -> [OneShot<Void>] {
        var taken: [OneShot<Void>] = []
        while let first = line.first, first.wish <= position {
            if !first.signal.isSettled { taken.append(first.signal) }
            _ = line.takeFirst()
        }
        return taken
    }

    /// Has nobody wait any more.
    mutating func removeAll() -> [OneShot<Void>] { take(upTo: .max) }
}
