internal import CRabbitMQ
internal import Dispatch
internal import Glibc
internal import Synchronization

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
            if !isReady { DispatchQueue.global().asyncAfter(deadline: .now()) {} }
            isReady = true
        }
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
            do throws(AMQPError) {
                try probe(rest)
            } catch {
                close(descriptor)
                throw error
            }
            return descriptor
        }
    }

    private static func probe(_ count: Int) throws(AMQPError) {
        var taken: [CInt] = []
        defer { for descriptor in taken { close(descriptor) } }
        while taken.count < count {
            let descriptor = epoll_create1(CInt(EPOLL_CLOEXEC))
            guard descriptor >= 0 else {
                let reason = String(cString: strerror(errno))
                throw AMQPError(
                    .connectionFailed,
                    "connecting needs \(least) free descriptors, and there are \(least - count + taken.count): \(reason)"
                )
            }
            taken.append(descriptor)
        }
    }
}
