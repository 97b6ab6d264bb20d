internal import Foundation
internal import Glibc
internal import Synchronization

/// A thread that waits with `poll(2)` for what one of the tests' servers reads from: were it the library's own poller, what
/// is tested would run its own test.
///
/// It also closes what it waits for. Closed by another thread meanwhile, a socket would stay open until the wait ends, and
/// its number could belong to somebody else when the next one begins.
final class PollThread: Sendable {
    typealias Handler = @Sendable () -> Void

    private struct State {
        var handlers: [Int32: Handler] = [:]
        var toClose: [Int32] = []
        var isFinishing = false
        var hasEnded = false
    }

    private let state = Mutex(State())
    /// A byte written to the first ends the wait of the thread, which reads from the second.
    private let wakeUp: (ours: Int32, threads: Int32)

    init() throws {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw PeerError("no socketpair: errno \(errno)") }
        wakeUp = (ends[0], ends[1])
        Thread.detachNewThread { [self] in run() }
    }

    /// Has `isReadable` called on the thread as long as there is something to read, or the peer has hung up.
    func watch(_ descriptor: Int32, _ isReadable: @escaping Handler) {
        change { $0.handlers.updateValue(isReadable, forKey: descriptor) }
    }

    /// Waits for it no more. A call that is under way goes on.
    func ignore(_ descriptor: Int32) {
        change { $0.handlers.removeValue(forKey: descriptor) }
    }

    /// Waits for it no more, and closes it soon.
    func close(_ descriptor: Int32) {
        change { state in
            state.toClose.append(descriptor)
            return state.handlers.removeValue(forKey: descriptor)
        }
    }

    /// Ends the thread once it waits for nothing and has closed what it was given.
    func finish() {
        change { state in
            state.isFinishing = true
            return nil
        }
    }

    /// - Parameter body: Changes the state, and gives the handler that is not needed any more.
    private func change(_ body: (inout State) -> Handler?) {
        let old = state.withLock { state -> Handler? in
            guard !state.hasEnded else { return nil }
            defer { _ = write(wakeUp.ours, [1], 1) }
            return body(&state)
        }
        // Freed outside of the lock: what it holds may come back here at its end.
        withExtendedLifetime(old) {}
    }

    // MARK: The thread

    private func run() {
        var bytes = [UInt8](repeating: 0, count: 64)
        while let watched = closeAndCollect() {
            var polled = [pollfd(fd: wakeUp.threads, events: Int16(POLLIN), revents: 0)]
            polled += watched.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            guard poll(&polled, nfds_t(polled.count), -1) > 0 else { continue }
            if polled[0].revents != 0 { while read(wakeUp.threads, &bytes, bytes.count) > 0 {} }
            for entry in polled.dropFirst() where entry.revents != 0 {
                state.withLock { $0.handlers[entry.fd] }?()
            }
        }
    }

    /// Closes what is to be closed.
    ///
    /// - Returns: What to wait for; nil at the end.
    private func closeAndCollect() -> [Int32]? {
        state.withLock { state in
            for descriptor in state.toClose { _ = Glibc.close(descriptor) }
            state.toClose = []
            guard state.isFinishing, state.handlers.isEmpty else { return Array(state.handlers.keys) }
            state.hasEnded = true
            _ = Glibc.close(wakeUp.ours)
            _ = Glibc.close(wakeUp.threads)
            return nil
        }
    }
}
