internal import Synchronization

extension Link {
    /// How many buffers to write before the queue gets to do something else.
    private static let buffersPerFlush = 8

    /// Writes what the outbox holds, as far as the socket takes it.
    func flush() {
        do throws(AMQPError) {
            try writeOut()
        } catch {
            end(hearLastWords() ?? lost(error))
        }
    }

    /// Writes the answer to a peer that closes the connection. What it said counts, not whether it still listens.
    func flushFarewell() { try? writeOut() }

    private func writeOut() throws(AMQPError) {
        guard let socket, !writing.isAwaitingRoom else { return }
        var written = 0
        for _ in 0..<Self.buffersPerFlush {
            if writing.isFlightEmpty {
                switch outbox.exchange(flight, after: written) {
                case .write(let filled): flight = filled
                case .cool:
                    coolDown()
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
        onQueue { $0.flush() }
    }

    /// Has the next flush come in a moment.
    private func coolDown() {
        guard !writing.isCooling else { return }
        isQuiet.store(false, ordering: .relaxed)
        let time = UInt64(FlushSchedule.coolingTime) * 1000
        let timer = DeadlineTimer.shared.add(at: MonotonicTime.now + time, period: time) {
            self.onQueue { link in
                link.writing.cooled()
                link.flush()
            }
        }
        writing.cool(until: timer)
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
        if writing.hasRoom() { flush() }
    }
}
