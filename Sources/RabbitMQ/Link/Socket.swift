internal import CRabbitMQ
internal import Glibc

/// The socket of one rabbitmq-c connection.
///
/// rabbitmq-c connects it and, with TLS, does the handshake. From then on only this type reads and writes, without ever
/// blocking: the library's own calls block, and may close the descriptor while the queue still watches it.
///
/// Not Sendable: it lives on its link's queue, and is freed there.
final class Socket {
    private let state: amqp_connection_state_t
    let descriptor: CInt
    private let tls: TLSSession?

    /// - Parameter state: Is owned from here on, with the connected socket in it.
    init(owning state: amqp_connection_state_t, descriptor: CInt, tls: TLSSession? = nil) {
        self.state = state
        self.descriptor = descriptor
        self.tls = tls
    }

    /// Closes the descriptor, which nobody may watch any more: the number may be another connection's next.
    deinit { amqp_destroy_connection(state) }

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
