internal import Synchronization
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// Waits until a socket can be read or written while it is being connected, without holding up a thread.
final class SocketReadiness: Sendable {
    private final class Waiter: Sendable {
        let told = Mutex<OneShot<Void>?>(nil)
    }

    private let descriptor: CInt
    private let waiter: Waiter
    private let watch: SocketWatch

    init(_ descriptor: CInt) throws(AMQPError) {
        let waiter = Waiter()
        self.descriptor = descriptor
        self.waiter = waiter
        watch = try SocketPoller.shared.watch(descriptor) { _, _ in waiter.told.withLock { $0 }?.succeed(()) }
    }

    /// Ends it, which has to happen before the descriptor is closed.
    func cancel() { watch.cancel() }

    /// Waits for one of the events, or for a hang-up.
    ///
    /// - Parameter deadline: Until when, in ``MonotonicTime``.
    /// - Throws: `timedOut`, without a word about who did not answer; `connectionClosed` if the task is cancelled. Both come
    ///   before what has happened: a peer that always has something to say would hold its task for ever.
    func wait(for events: SocketPoller.Events, until deadline: UInt64) async throws(AMQPError) {
        guard !Task.isCancelled else { throw AMQPError(connecting: CancellationError()) }
        guard MonotonicTime.now < deadline else { throw Self.timedOut }
        // Mostly the peer is near, and has answered.
        if isReady(for: events) { return }
        let told = OneShot<Void>()
        waiter.told.withLock { $0 = told }
        guard watch.arm(events) else { throw AMQPError(.connectionLost, "the socket can't be watched any more") }
        let timer = DeadlineTimer.shared.add(at: deadline) { told.fail(Self.timedOut) }
        defer { DeadlineTimer.shared.remove(timer) }
        do {
            try await told.value()
        } catch {
            throw AMQPError(connecting: error)
        }
    }

    private static let timedOut = AMQPError(.timedOut, "no answer in time")

    private func isReady(for events: SocketPoller.Events) -> Bool {
        let wanted = (events.contains(.readable) ? POLLIN : 0) | (events.contains(.writable) ? POLLOUT : 0)
        var entry = pollfd(fd: descriptor, events: CShort(wanted), revents: 0)
        return poll(&entry, 1, 0) > 0
    }
}

extension AMQPError {
    /// What ended a step of connecting: an error of the library's, or the task's cancellation.
    init(connecting error: any Error) {
        self = error as? AMQPError ?? AMQPError(.connectionClosed, "connecting was given up")
    }
}
