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
        guard let socket, !isAwaitingRoom else { return }
        var written = 0
        for _ in 0..<Self.buffersPerFlush {
            if isFlightEmpty {
                switch outbox.exchange(flight, after: written) {
                case .write(let filled): flight = filled
                case .cool:
                    coolDown()
                    return
                case .rest: return
                }
                isFlightEmpty = false
            }
            written += flight.byteCount
            guard try write(flight, to: socket) else {
                isAwaitingRoom = true
                arm()
                return
            }
            flight.clear()
            isFlightEmpty = true
            noteSpareMemory()
        }
        onQueue { $0.flush() }
    }

    var isCooling: Bool { coolingTimer != nil }

    /// Has the next flush come in a moment.
    private func coolDown() {
        guard !isCooling else { return }
        isQuiet.store(false, ordering: .relaxed)
        let time = UInt64(FlushSchedule.coolingTime) * 1000
        coolingTimer = DeadlineTimer.shared.add(at: MonotonicTime.now + time, period: time) {
            self.onQueue { link in
                link.coolingTimer = nil
                link.flush()
            }
        }
    }

    private func write(_ buffer: OutboundBuffer, to socket: Socket) throws(AMQPError) -> Bool {
        var written = 0
        defer {
            if written > 0 {
                lastSent = MonotonicTime.now
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
        guard isAwaitingRoom else { return }
        isAwaitingRoom = false
        flush()
    }
}
