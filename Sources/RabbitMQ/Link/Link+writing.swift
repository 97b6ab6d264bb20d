internal import Dispatch

extension Link {
    /// How many buffers to write before the queue gets to do something else.
    private static let buffersPerFlush = 8

    /// Writes what the outbox holds, as far as the socket takes it.
    func flush() {
        guard let socket else { return }
        do throws(AMQPError) {
            for _ in 0..<Self.buffersPerFlush {
                if isFlightEmpty {
                    guard let filled = outbox.exchange(flight) else { return }
                    flight = filled
                    isFlightEmpty = false
                }
                guard try write(flight, to: socket) else {
                    awaitRoom(on: socket)
                    return
                }
                flight.clear()
                isFlightEmpty = true
            }
        } catch {
            end(error)
            return
        }
        onQueue { $0.flush() }
    }

    private func write(_ buffer: OutboundBuffer, to socket: Socket) throws(AMQPError) -> Bool {
        var written = 0
        defer {
            if written > 0 {
                lastSent = MonotonicTime.now
                outbox.wrote(written)
            }
        }
        return try buffer.drain { head, body throws(AMQPError) in
            let count = try socket.write(head, body)
            written += count
            return count
        }
    }

    /// Has Dispatch say when the socket takes bytes again. Reading goes on meanwhile: a peer that waits for us to read
    /// would never take them otherwise.
    private func awaitRoom(on socket: Socket) {
        guard !isAwaitingRoom else { return }
        isAwaitingRoom = true
        if let writeSource {
            writeSource.resume()
            return
        }
        let source = DispatchSource.makeWriteSource(fileDescriptor: socket.descriptor, queue: queue)
        source.setEventHandler { [self] in assumeIsolated { $0.writable() } }
        writeSource = source
        source.activate()
    }

    private func writable() {
        guard isAwaitingRoom else { return }
        isAwaitingRoom = false
        writeSource?.suspend()
        flush()
    }
}
