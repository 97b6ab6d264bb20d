internal import Glibc

/// Two ends of a TCP connection over loopback: for what a socketpair doesn't have, such as resets.
public enum LoopbackPair {
    public static func make() throws -> [Int32] {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let listener = socket(AF_INET, type, 0)
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        func call(_ body: (UnsafeMutablePointer<sockaddr>) -> Int32) -> Int32 {
            withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0) }
            }
        }
        guard call({ bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }) == 0, listen(listener, 1) == 0,
            call({ getsockname(listener, $0, &size) }) == 0
        else { throw PeerError("no listener: errno \(errno)") }
        let first = socket(AF_INET, type, 0)
        guard call({ connect(first, $0, size) }) == 0 else {
            close(first)
            throw PeerError("no connection: errno \(errno)")
        }
        let second = accept(listener, nil, nil)
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
