#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// A connected socket, which is read and written without ever blocking, with or without TLS.
///
/// Not Sendable: once it is connected, it is used and freed on its link's queue, or on a thread that holds that
/// (``QueueExecutor/runIfIdle(_:)``).
final class Socket {
    let descriptor: CInt
    private let tls: TLSSession?

    /// - Parameter descriptor: Is owned from here on.
    init(owning descriptor: CInt, tls: TLSSession? = nil) {
        self.descriptor = descriptor
        self.tls = tls
    }

    /// Closes the descriptor, which nobody may watch any more: the number may be another connection's next.
    deinit { Self.close(descriptor: descriptor) }

    enum Received {
        case bytes(Int)
        case nothingNow
        case ended(AMQPError)
    }

    /// Reads what there is.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Received {
        if let tls { return read(tls, into: buffer) }
        while true {
            let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
            if count > 0 { return .bytes(count) }
            if count == 0 { return .ended(AMQPError(.connectionLost, "the peer closed the connection")) }
            switch errno {
            case EINTR: continue
            case EAGAIN, EWOULDBLOCK: return .nothingNow
            default: return .ended(Self.lost(errno))
            }
        }
    }

    /// Writes pieces one behind the other, as far as the socket takes them now.
    ///
    /// - Returns: How many bytes it took.
    func write(_ pieces: UnsafeBufferPointer<iovec>) throws(AMQPError) -> Int {
        if let tls { return try write(tls, pieces) }
        while true {
            let count = Self.send(pieces, to: descriptor)
            if count >= 0 { return count }
            switch errno {
            case EINTR: continue
            case EAGAIN, EWOULDBLOCK: return 0
            default: throw Self.lost(errno)
            }
        }
    }

    /// One system call for all pieces.
    static func send(_ pieces: UnsafeBufferPointer<iovec>, to descriptor: CInt) -> Int {
        if pieces.count == 1 {
            return Glibc.send(descriptor, pieces[0].iov_base, pieces[0].iov_len, CInt(MSG_NOSIGNAL))
        }
        var message = msghdr()
        message.msg_iov = UnsafeMutablePointer(mutating: pieces.baseAddress)
        message.msg_iovlen = pieces.count
        return sendmsg(descriptor, &message, CInt(MSG_NOSIGNAL))
    }

    var isTLS: Bool { tls != nil }

    /// Ends every use of the connection at once, whatever the peer does; the descriptor stays open.
    func shutDown() {
        if let tls { shutDown(tls) }
        _ = shutdown(descriptor, CInt(SHUT_RDWR))
    }

    private static func lost(_ code: CInt) -> AMQPError {
        AMQPError(.connectionLost, "the connection broke: \(String(cString: strerror(code)))")
    }
}
