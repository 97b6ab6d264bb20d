internal import CRabbitMQ
internal import Glibc
internal import Synchronization

/// Says when sockets can be read and written: one thread of the process waits for all of them (epoll).
///
/// It stands in for Dispatch's sources. On Linux these take a hang-up on the wrong thread, and when one connection is reset
/// while another begins or ends, the process crashes
/// (https://github.com/swiftlang/swift-corelibs-libdispatch/issues/949).
package final class SocketPoller: Sendable {
    package struct Events: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package static let readable = Events(rawValue: 1)
        package static let writable = Events(rawValue: 2)
    }

    package typealias Handler = @Sendable (Events) -> Void

    private struct State {
        var epoll: CInt?
        var handlers: [UInt64: Handler] = [:]
        var lastID: UInt64 = 0
    }

    package static let shared = SocketPoller()

    private let state = Mutex(State())

    /// Watches a descriptor until the watch is cancelled, which has to happen before the descriptor is closed.
    ///
    /// - Parameter handler: Called on the poller's thread, where it must not block, once for each time that the watch is
    ///   armed. A peer that hung up makes the socket both readable and writable. A call that was under way may still come
    ///   when the watch was cancelled.
    /// - Throws: `connectionFailed` if the system has no thread or descriptor left, or the descriptor can't be watched.
    package func watch(_ descriptor: CInt, handler: @escaping Handler) throws(AMQPError) -> SocketWatch {
        try state.withLock { state throws(AMQPError) in
            let epoll: CInt
            if let running = state.epoll { epoll = running } else { epoll = try start() }
            state.epoll = epoll
            state.lastID += 1
            let id = state.lastID
            // Before it is armed nothing is reported but a hang-up.
            guard shim_epoll_control(epoll, EPOLL_CTL_ADD, descriptor, EPOLLONESHOT.rawValue, id) == 0 else {
                throw Self.failure("the descriptor \(descriptor) can't be watched", errno)
            }
            state.handlers[id] = handler
            return SocketWatch(poller: self, epoll: epoll, descriptor: descriptor, id: id)
        }
    }

    fileprivate func forget(_ id: UInt64) {
        // Freed outside of the lock, with all that it holds.
        let handler = state.withLock { $0.handlers.removeValue(forKey: id) }
        withExtendedLifetime(handler) {}
    }

    private static func failure(_ what: String, _ code: CInt) -> AMQPError {
        AMQPError(.connectionFailed, "\(what): \(String(cString: strerror(code)))")
    }

    // MARK: The thread

    private func start() throws(AMQPError) -> CInt {
        let epoll = epoll_create1(CInt(EPOLL_CLOEXEC))
        guard epoll >= 0 else { throw Self.failure("no epoll descriptor", errno) }
        let context = Unmanaged.passRetained(PollerThread(poller: self, epoll: epoll))
        // Signals are for the application's threads.
        var (all, before) = (sigset_t(), sigset_t())
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        var thread = pthread_t()
        let code = pthread_create(
            &thread,
            nil,
            { context in
                guard let context else { return nil }
                let thread = Unmanaged<PollerThread>.fromOpaque(context).takeRetainedValue()
                shim_name_this_thread("rabbitmq.poller")
                thread.poller.run(on: thread.epoll)
                return nil
            },
            context.toOpaque()
        )
        guard code == 0 else {
            context.release()
            close(epoll)
            throw Self.failure("no thread to watch sockets", code)
        }
        pthread_detach(thread)
        return epoll
    }

    fileprivate func run(on epoll: CInt) {
        let most = shim_epoll_most
        var events = [UInt32](repeating: 0, count: most)
        var ids = [UInt64](repeating: 0, count: most)
        var ready: [(Handler, Events)] = []
        while true {
            let count = Int(shim_epoll_wait(epoll, &events, &ids))
            // Nothing else fails, unless the application has closed descriptors that are not its own. Heartbeats tell then.
            guard count >= 0 || errno == EINTR else { return }
            guard count > 0 else { continue }
            state.withLock { state in
                for index in 0..<count {
                    guard let handler = state.handlers[ids[index]] else { continue }
                    ready.append((handler, Events(epoll: events[index])))
                }
            }
            for (handler, events) in ready { handler(events) }
            ready.removeAll(keepingCapacity: true)
        }
    }
}

/// What is handed to the thread.
private final class PollerThread {
    let poller: SocketPoller
    let epoll: CInt

    init(poller: SocketPoller, epoll: CInt) {
        self.poller = poller
        self.epoll = epoll
    }
}

/// A socket that is being watched.
package struct SocketWatch: Sendable {
    fileprivate let poller: SocketPoller
    fileprivate let epoll: CInt
    fileprivate let descriptor: CInt
    fileprivate let id: UInt64

    /// Has the handler called once, as soon as one of the events is there. Takes the place of what was armed before.
    package func arm(_ events: SocketPoller.Events) {
        _ = shim_epoll_control(epoll, EPOLL_CTL_MOD, descriptor, events.epoll | EPOLLONESHOT.rawValue, id)
    }

    /// Ends it. The descriptor may be closed, and its number used again, at once.
    package func cancel() {
        _ = shim_epoll_control(epoll, EPOLL_CTL_DEL, descriptor, 0, id)
        poller.forget(id)
    }
}

extension SocketPoller.Events {
    fileprivate init(epoll events: UInt32) {
        let ended = events & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0
        self = []
        if ended || events & EPOLLIN.rawValue != 0 { insert(.readable) }
        if ended || events & EPOLLOUT.rawValue != 0 { insert(.writable) }
    }

    fileprivate var epoll: UInt32 {
        (contains(.readable) ? EPOLLIN.rawValue : 0) | (contains(.writable) ? EPOLLOUT.rawValue : 0)
    }
}
