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
    /// The TLS session, if there is one. It belongs to rabbitmq-c's socket.
    private let ssl: OpaquePointer?

    /// - Parameter state: Is owned from here on, with the connected socket in it.
    init(owning state: amqp_connection_state_t, descriptor: CInt, ssl: OpaquePointer? = nil) {
        self.state = state
        self.descriptor = descriptor
        self.ssl = ssl
    }

    /// Closes the descriptor. Dispatch must have let go of it before: the number may be another connection's next.
    deinit { amqp_destroy_connection(state) }

    enum Received {
        case bytes(Int)
        case nothingNow
        case ended(AMQPError)
    }

    /// Reads what there is.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Received {
        if let ssl { return readTLS(ssl, into: buffer) }
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

    /// Writes two pieces one after the other, as far as the socket takes them now.
    ///
    /// - Returns: How many bytes it took.
    func write(_ head: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer) throws(AMQPError) -> Int {
        if let ssl {
            let count = try writeTLS(ssl, head)
            return count < head.count ? count : count + (try writeTLS(ssl, body))
        }
        while true {
            let count =
                body.isEmpty
                ? send(descriptor, head.baseAddress, head.count, CInt(MSG_NOSIGNAL))
                : sendBoth(head, body)
            if count >= 0 { return count }
            switch errno {
            case EINTR: continue
            case EAGAIN, EWOULDBLOCK: return 0
            default: throw Self.lost(errno)
            }
        }
    }

    private func sendBoth(_ head: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer) -> Int {
        withUnsafeTemporaryAllocation(of: iovec.self, capacity: 2) { pieces in
            pieces.initializeElement(
                at: 0,
                to: iovec(iov_base: UnsafeMutableRawPointer(mutating: head.baseAddress), iov_len: head.count)
            )
            pieces.initializeElement(
                at: 1,
                to: iovec(iov_base: UnsafeMutableRawPointer(mutating: body.baseAddress), iov_len: body.count)
            )
            var message = msghdr()
            message.msg_iov = pieces.baseAddress
            message.msg_iovlen = 2
            return sendmsg(descriptor, &message, CInt(MSG_NOSIGNAL))
        }
    }

    /// Whether TLS has bytes that were read from the socket already, which no poll shows.
    var holdsBytes: Bool { ssl.map { SSL_has_pending($0) == 1 } ?? false }

    /// Ends every use of the connection at once, whatever the peer does; the descriptor stays open.
    func shutDown() {
        _ = shutdown(descriptor, CInt(SHUT_RDWR))
    }

    private static func lost(_ code: CInt) -> AMQPError {
        AMQPError(.connectionLost, "the connection broke: \(String(cString: strerror(code)))")
    }

    // MARK: TLS

    private func readTLS(_ ssl: OpaquePointer, into buffer: UnsafeMutableRawBufferPointer) -> Received {
        ERR_clear_error()
        let count = SSL_read(ssl, buffer.baseAddress, CInt(clamping: buffer.count))
        if count > 0 { return .bytes(Int(count)) }
        switch SSL_get_error(ssl, count) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .nothingNow
        case SSL_ERROR_ZERO_RETURN: return .ended(AMQPError(.connectionLost, "the peer closed the connection"))
        default: return .ended(AMQPError(.connectionLost, "the TLS connection broke\(Self.tlsReason)"))
        }
    }

    private func writeTLS(_ ssl: OpaquePointer, _ bytes: UnsafeRawBufferPointer) throws(AMQPError) -> Int {
        var written = 0
        // Writes of a part are enabled: each call takes one record.
        while written < bytes.count {
            ERR_clear_error()
            let count = SSL_write(
                ssl,
                bytes.baseAddress?.advanced(by: written),
                CInt(clamping: bytes.count - written)
            )
            guard count > 0 else {
                switch SSL_get_error(ssl, count) {
                case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return written
                default: throw AMQPError(.connectionLost, "the TLS connection broke\(Self.tlsReason)")
                }
            }
            written += Int(count)
        }
        return written
    }

    private static var tlsReason: String {
        let code = ERR_peek_last_error()
        guard code != 0, let reason = ERR_reason_error_string(code) else { return "" }
        return ": " + String(cString: reason)
    }
}
