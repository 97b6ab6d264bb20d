internal import CRabbitMQ
internal import Dispatch
internal import Glibc
internal import Synchronization

/// Descriptors that must be free before a connection takes one.
///
/// Swift's runtime needs some, and crashes without: Dispatch when it is first used, and now and then later, as it looks in
/// /proc at what its threads do.
enum DescriptorReserve {
    /// Dispatch's first use takes four, its look at a thread one, the poller one, the socket one, a name's lookup or a
    /// certificate one.
    static let least = 8

    private static let isDispatchReady = Mutex(false)

    /// Makes sure that enough are free, and that Dispatch has those that it keeps.
    ///
    /// - Throws: `connectionFailed` if too few are.
    static func require() throws(AMQPError) {
        // One after the other: those who connect at the same time must not take the last ones from each other.
        let isFirst = try isDispatchReady.withLock { isReady throws(AMQPError) in
            var taken: [CInt] = []
            defer { for descriptor in taken { close(descriptor) } }
            while taken.count < least {
                let descriptor = epoll_create1(CInt(EPOLL_CLOEXEC))
                guard descriptor >= 0 else {
                    let reason = String(cString: strerror(errno))
                    throw AMQPError(
                        .connectionFailed,
                        "connecting needs \(least) free descriptors, and there are \(taken.count): \(reason)"
                    )
                }
                taken.append(descriptor)
            }
            defer { isReady = true }
            return !isReady
        }
        if isFirst { DispatchQueue.global().asyncAfter(deadline: .now()) {} }
    }
}
