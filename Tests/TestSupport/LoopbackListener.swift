internal import Glibc

/// A socket that listens on 127.0.0.1, on a port that the system chooses.
public struct LoopbackListener {
    /// The socket, which whoever made this has to close.
    public let descriptor: Int32

    /// Its port.
    public let port: Int

    /// - Parameters:
    ///   - backlog: How many connections may wait to be accepted; nil to listen for none, so that they are refused.
    ///   - isBlocking: Whether to accept a connection waits until there is one.
    public init(backlog: Int32? = 64, isBlocking: Bool = false) throws {
        let type = isBlocking ? TCPProxy.streamSocket : TCPProxy.streamSocket | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_INET, type, 0)
        var address = TCPProxy.loopback(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        var isListening = TCPProxy.withAddress(&address) { bind(descriptor, $0, $1) } == 0
        if isListening, let backlog { isListening = listen(descriptor, backlog) == 0 }
        if isListening {
            isListening = TCPProxy.withAddress(&address) { place, _ in getsockname(descriptor, place, &length) } == 0
        }
        guard isListening else {
            let code = errno
            close(descriptor)
            throw PeerError("no listener: errno \(code)")
        }
        self.descriptor = descriptor
        port = Int(UInt16(bigEndian: address.sin_port))
    }
}
