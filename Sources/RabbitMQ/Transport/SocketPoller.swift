internal import CRabbitMQ
internal import Synchronization
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// Says when sockets can be read and written: one thread of the process waits for all of them (epoll).
///
/// It stands in for Dispatch's sources. On Linux these take a hang-up on the wrong thread, and when one connection is reset
/// while another begins or ends, the process crashes
/// (https://github.com/swiftlang/swift-corelibs-libdispatch/issues/949).
final class SocketPoller: Sendable {
    struct Events: OptionSet, Sendable {
        let rawValue: UInt8
        init(rawValue: UInt8) { self.rawValue = rawValue }

        static let readable = Events(rawValue: 1)
        static let writable = Events(rawValue: 2)
        /// The peer has hung up. Asked for where nothing is to be read.
        static let hungUp = Events(rawValue: 4)
    }

    /// Is told what a socket is ready for, and whether the thread has time to do a little itself.
    typealias Handler = @Sendable (_ events: Events, _ hasTime: Bool) -> Void

    private struct State {
        var epoll: CInt?
        var handlers: [UInt64: Handler] = [:]
        var lastID: UInt64 = 0
    }

    static let shared = SocketPoller()

    private let state = Mutex(State())

    /// The descriptor on which the thread waits; nil while there is none.
    var descriptor: CInt? { state.withLock { $0.epoll } }

    /// Watches a descriptor until the watch is cancelled, which has to happen before the descriptor is closed.
    ///
    /// - Parameter handler: Called on the poller's thread, where it must not block nor take long, once for each time that
    ///   the watch is armed. A peer that hung up makes the socket both readable and writable; that is told even before the watch is
    ///   armed. A call that was under way may still come when the watch was cancelled.
    /// - Throws: `connectionFailed` if the system has no thread or descriptor left, or the descriptor can't be watched.
    func watch(_ descriptor: CInt, handler: @escaping Handler) throws(AMQPError) -> SocketWatch {
        try state.withLock { state throws(AMQPError) in
            let epoll: CInt
            if let running = state.epoll { epoll = running } else { epoll = try start() }
            state.epoll = epoll
            state.lastID += 1
            let id = state.lastID
            guard shim_epoll_control(epoll, EPOLL_CTL_ADD, descriptor, EPOLLONESHOT.rawValue, id) == 0 else {
                let code = errno
                throw Self.failure("the descriptor \(descriptor) can't be watched", code)
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

    /// Makes the epoll descriptor and starts the thread. Called under the lock, which keeps the new thread from reading
    /// `descriptor` before the caller has stored it.
    private func start() throws(AMQPError) -> CInt {
        let epoll = epoll_create1(CInt(EPOLL_CLOEXEC))
        guard epoll >= 0 else {
            let code = errno
            throw Self.failure("no epoll descriptor", code)
        }
        do throws(AMQPError) {
            try LibraryThread.start("rabbitmq.poller") { self.run() }
        } catch {
            close(epoll)
            throw error
        }
        return epoll
    }

    private func run() {
        guard let epoll = descriptor else { return }
        let most = shim_epoll_most
        var events = [UInt32](repeating: 0, count: most)
        var ids = [UInt64](repeating: 0, count: most)
        var ready: [(Handler, Events)] = []
        var load = PollerLoad()
        while true {
            let start = MonotonicTime.now
            let count = Int(shim_epoll_wait(epoll, &events, &ids))
            guard count >= 0 || errno == EINTR else { return giveUp() }
            guard count > 0 else { continue }
            let hasTime = load.waited(from: start, to: MonotonicTime.now)
            state.withLock { state in
                for index in 0..<count {
                    guard let handler = state.handlers[ids[index]] else { continue }
                    ready.append((handler, Events(epoll: events[index])))
                }
            }
            for (handler, events) in ready { handler(events, hasTime || ready.count == 1) }
            ready.removeAll(keepingCapacity: true)
        }
    }

    /// The application has closed the descriptor, which is not its own. Everyone is told to look, and then finds that
    /// nothing can be armed any more; who comes after that gets a new thread.
    private func giveUp() {
        let handlers = state.withLock { state in
            state.epoll = nil
            defer { state.handlers = [:] }
            return state.handlers.values
        }
        for handler in handlers { handler([.readable, .writable], handlers.count == 1) }
    }
}

/// A socket that is being watched.
struct SocketWatch: Sendable {
    fileprivate let poller: SocketPoller
    fileprivate let epoll: CInt
    fileprivate let descriptor: CInt
    fileprivate let id: UInt64

    /// Has the handler called once, as soon as one of the events is there. Takes the place of what was armed before.
    ///
    /// - Returns: Whether it will be: the application may have closed the poller's descriptor.
    @discardableResult
    func arm(_ events: SocketPoller.Events) -> Bool {
        shim_epoll_control(epoll, EPOLL_CTL_MOD, descriptor, events.epoll | EPOLLONESHOT.rawValue, id) == 0
    }

    /// Ends it. The descriptor may be closed, and its number used again, at once.
    func cancel() {
        _ = shim_epoll_control(epoll, EPOLL_CTL_DEL, descriptor, 0, id)
        poller.forget(id)
    }
}

extension SocketPoller.Events {
    fileprivate init(epoll events: UInt32) {
        let ended = events & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0
        self = []
        if ended || events & EPOLLRDHUP.rawValue != 0 { insert(.hungUp) }
        if ended || events & EPOLLIN.rawValue != 0 { insert(.readable) }
        if ended || events & EPOLLOUT.rawValue != 0 { insert(.writable) }
    }

    fileprivate var epoll: UInt32 {
        (contains(.readable) ? EPOLLIN.rawValue : 0) | (contains(.writable) ? EPOLLOUT.rawValue : 0)
            | (contains(.hungUp) ? EPOLLRDHUP.rawValue : 0)
    }
}
