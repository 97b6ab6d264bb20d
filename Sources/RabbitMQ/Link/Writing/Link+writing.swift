internal import Synchronization

extension Link {
    /// Who writes.
    enum WritingThread {
        case queue
        /// A thread that does so in its stead, such as a publisher's. It has something else to do, and must not be kept for
        /// long, nor find itself in the application's code, such as a log.
        case other

        /// How many bytes to write at once: the timer's thread is everybody's, and a publisher has something else to do.
        fileprivate func mostBytes(isTLS: Bool) -> Int {
            switch self {
            case .queue: .max
            case .other: isTLS ? 32 * 1024 : 128 * 1024
            }
        }

        /// How many buffers to write before somebody else gets to do something.
        fileprivate var mostBuffers: Int {
            switch self {
            case .queue: 8
            case .other: 1
            }
        }
    }

    /// Writes what the outbox holds, as far as the socket takes it.
    func flush(on thread: WritingThread = .queue) {
        do throws(AMQPError) {
            try writeOut(on: thread)
        } catch {
            switch thread {
            case .queue: end(hearLastWords() ?? lost(error))
            case .other: onQueue { $0.end($0.hearLastWords() ?? $0.lost(error)) }
            }
        }
    }

    /// Writes the answer to a peer that closes the connection. What it said counts, not whether it still listens.
    func flushFarewell() { try? writeOut(on: .queue) }

    private func writeOut(on thread: WritingThread) throws(AMQPError) {
        guard let socket, !writing.isAwaitingRoom else { return }
        var written = 0
        for count in 0...thread.mostBuffers {
            if writing.isFlightEmpty {
                let most = count == thread.mostBuffers ? 0 : thread.mostBytes(isTLS: socket.isTLS)
                switch outbox.exchange(flight, after: written, most: most) {
                case .write(let filled): flight = filled
                case .leave:
                    onQueue { $0.flush() }
                    return
                case .cool(let time):
                    coolDown(for: time)
                    return
                case .rest: return
                }
                writing.fill()
            }
            written += flight.byteCount
            let isWritten = try write(flight, to: socket)
            writing.wrote(all: isWritten)
            guard isWritten else {
                arm()
                return
            }
            flight.clear()
            noteSpareMemory()
        }
    }

    /// Has the next flush come in a moment.
    private func coolDown(for time: UInt64) {
        guard !writing.isCooling else { return }
        isQuiet.store(false, ordering: .relaxed)
        let timer = DeadlineTimer.shared.add(at: MonotonicTime.now + time, period: time) {
            let isDone = self.executor.runIfIdle { self.assumeIsolated { $0.flushCooled(on: .other) } }
            if !isDone { self.onQueue { $0.flushCooled(on: .queue) } }
        }
        writing.cool(until: timer)
    }

    private func flushCooled(on thread: WritingThread) {
        writing.cooled()
        flush(on: thread)
    }

    private func write(_ buffer: OutboundBuffer, to socket: Socket) throws(AMQPError) -> Bool {
        var written = 0
        defer {
            if written > 0 {
                writing.sent(at: MonotonicTime.now)
                outbox.wrote(written)
            }
        }
        return try buffer.drain { pieces throws(AMQPError) in
            let count = try socket.write(pieces)
            written += count
            return count
        }
    }

    /// Tries again to write what the socket did not take.
    func retryWriting() {
        if writing.noteRoom() { flush() }
    }
}
