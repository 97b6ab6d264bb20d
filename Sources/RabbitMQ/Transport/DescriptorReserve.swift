internal import Dispatch
internal import Synchronization
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// Descriptors that must be free before a connection takes one, and be left when it has.
///
/// Swift's runtime needs some, and crashes without: Dispatch when it is first used, and now and then later, as it looks in
/// /proc at what its threads do.
enum DescriptorReserve {
    /// Dispatch's first use takes four, its look at a thread one, the poller one, the socket one, a name's lookup or a
    /// certificate one.
    static let least = 8

    /// What a socket leaves: for the process's first Dispatch may have taken its four, and the poller takes one.
    private static var rest: Int { SocketPoller.shared.descriptor == nil ? least - 5 : least - 1 }

    private static let isDispatchReady = Mutex(false)

    /// Makes sure that enough are free, and has Dispatch take those that it keeps.
    ///
    /// - Throws: `connectionFailed` if too few are.
    static func require() throws(AMQPError) {
        try isDispatchReady.withLock { isReady throws(AMQPError) in
            try probe(least)
            if !isReady { startDispatch() }
            isReady = true
        }
    }

    /// Has Dispatch take its four, and waits until it has: others who connect at the same time would take them first, and the
    /// process would crash. Once in a process, for a moment; on a queue of its own, since the threads of the global ones may
    /// all wait here, for the lock.
    private static func startDispatch() {
        let isStarted = DispatchSemaphore(value: 0)
        DispatchQueue(label: "rabbitmq.start").asyncAfter(deadline: .now()) { isStarted.signal() }
        _ = isStarted.wait(timeout: .now() + .seconds(1))
    }

    /// Takes a descriptor, and makes sure that others are left.
    ///
    /// One after the other: those who connect at the same time have all been told before that enough are free, and each
    /// would take one of the same few.
    ///
    /// - Parameter open: Opens it; what it returns below zero is returned as it is, with errno.
    /// - Throws: `connectionFailed` if too few would be left; it is closed then.
    static func take(_ open: () -> CInt) throws(AMQPError) -> CInt {
        try isDispatchReady.withLock { _ throws(AMQPError) in
            let descriptor = open()
            guard descriptor >= 0 else { return descriptor }
            lastTaken.store(descriptor, ordering: .relaxed)
            do throws(AMQPError) {
                try probe(rest)
            } catch {
                close(descriptor)
                throw error
            }
            return descriptor
        }
    }

    /// Where it is quickest to look: the system gives the lowest that is free, so that those behind it mostly are.
    private static let lastTaken = Atomic<CInt>(0)

    /// Looks for so many that are free, and takes none: while one who tried had the last, Dispatch would crash over it.
    private static func probe(_ count: Int) throws(AMQPError) {
        var limits = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits)
        let limit = CInt(clamping: limits.rlim_cur)
        let start = lastTaken.load(ordering: .relaxed)
        var free = 0
        for descriptor in [max(0, min(start, limit))..<limit, 0..<max(0, min(start, limit))].joined() {
            if fcntl(descriptor, F_GETFD) < 0, errno == EBADF { free += 1 }
            if free == count { return }
        }
        throw AMQPError(
            .connectionFailed,
            "connecting needs \(least) free descriptors, and there are \(least - count + free): "
                + String(cString: strerror(EMFILE))
        )
    }
}
