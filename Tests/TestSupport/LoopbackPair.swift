internal import Glibc

/// Two ends of a TCP connection over loopback: for what a socketpair doesn't have, such as resets.
public enum LoopbackPair {
    public static func make() throws -> [Int32] {
        let listener = try LoopbackListener(backlog: 1, isBlocking: true)
        defer { close(listener.descriptor) }
        let first = try TCPProxy.connectedSocket(toLoopback: listener.port)
        let second = accept(listener.descriptor, nil, nil)
        guard second >= 0 else {
            close(first)
            throw PeerError("not accepted: errno \(errno)")
        }
        _ = fcntl(second, F_SETFD, FD_CLOEXEC)
        return [first, second]
    }

    /// Breaks the connection with a reset (RST).
    public static func reset(_ descriptor: Int32) {
        var address = sockaddr()
        address.sa_family = sa_family_t(AF_UNSPEC)
        connect(descriptor, &address, socklen_t(MemoryLayout<sockaddr>.size))
    }
}
