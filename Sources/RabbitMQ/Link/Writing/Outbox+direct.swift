internal import Synchronization
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// Writing on the thread that appends, which spares a lone request the queue's wake-up.
///
/// It is done under the lock, which keeps the descriptor open and bytes in order, and only once for each time that
/// something was received: whoever publishes in a row has the queue write, in batches.
extension Outbox {
    /// Allows it, on a connected socket without TLS.
    func allowDirectWrites(to descriptor: CInt) {
        state.withLock { state in
            if state.ended == nil { state.directDescriptor = descriptor }
        }
    }

    /// Notes that something was received.
    func noteReceived() { state.withLock { $0.flush.noteReceived() } }
}

extension Outbox.State {
    /// Has what was appended written.
    ///
    /// - Returns: Whether the queue is to be woken for it.
    @inline(__always)
    mutating func requestFlush(isUrgent: Bool) -> Bool {
        if flush.mayWriteDirectly(pending: buffer.byteCount), writeDirectly() { return false }
        return flush.request(pending: buffer.byteCount, isUrgent: isUrgent)
    }

    @inline(never)
    private mutating func writeDirectly() -> Bool {
        // Whoever is held back, or waits for a flush, is told by the queue, when it has written.
        guard let directDescriptor, settling.isEmpty, inFlight == 0, heldBack.isEmpty, flushWaiters.isEmpty else {
            return false
        }
        flush.writeDirectly()
        // What the socket does not take, or refuses, the queue deals with.
        let isWritten = try? buffer.drain { pieces throws(AMQPError) in
            max(0, Socket.send(pieces, to: directDescriptor))
        }
        guard isWritten == true else { return false }
        buffer.clear()
        // The queue, which sees to memory that is left, never gets to know of it.
        buffer.trim()
        return true
    }
}
