internal import CRabbitMQ
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// The TLS of a connected socket.
final class TLSSession {
    let ssl: OpaquePointer
    let watch: TLSWatch
    /// The host and port, for messages.
    let place: String
    var hasReceived = false
    private let context: TLSContext

    /// - Parameter ssl: Is owned from here on.
    init(owning ssl: OpaquePointer, of context: TLSContext, _ watch: TLSWatch, place: String) {
        self.ssl = ssl
        self.context = context
        self.watch = watch
        self.place = place
    }

    deinit { SSL_free(ssl) }
}

extension Socket {
    // MARK: Reading and writing

    func read(_ session: TLSSession, into buffer: UnsafeMutableRawBufferPointer) -> Received {
        OpenSSLErrors.clear()
        errno = 0
        SocketBIO.refill(session.ssl)
        let count = SSL_read(session.ssl, buffer.baseAddress, CInt(clamping: buffer.count))
        if count > 0 {
            session.hasReceived = true
            return .bytes(Int(count))
        }
        switch SSL_get_error(session.ssl, count) {
        // Also if there is more of what is not for us: the socket then is readable still, and so is told again.
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .nothingNow
        case SSL_ERROR_ZERO_RETURN: return .ended(AMQPError(.connectionLost, "the peer closed the connection"))
        default: return .ended(lost(session))
        }
    }

    func write(_ session: TLSSession, _ pieces: UnsafeBufferPointer<iovec>) throws(AMQPError) -> Int {
        var written = 0
        for piece in pieces {
            let count = try write(session, UnsafeRawBufferPointer(start: piece.iov_base, count: piece.iov_len))
            written += count
            guard count == piece.iov_len else { break }
        }
        return written
    }

    private func write(_ session: TLSSession, _ bytes: UnsafeRawBufferPointer) throws(AMQPError) -> Int {
        var written = 0
        // Writes of a part are enabled: each call takes one record.
        while written < bytes.count {
            OpenSSLErrors.clear()
            errno = 0
            SocketBIO.refill(session.ssl)
            let count = SSL_write(
                session.ssl,
                bytes.baseAddress?.advanced(by: written),
                CInt(clamping: bytes.count - written)
            )
            guard count > 0 else {
                switch SSL_get_error(session.ssl, count) {
                case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return written
                default: throw lostWhileWriting(session)
                }
            }
            written += Int(count)
        }
        return written
    }

    /// Says goodbye, if the socket takes it at once.
    func shutDown(_ session: TLSSession) {
        OpenSSLErrors.clear()
        _ = SSL_shutdown(session.ssl)
        OpenSSLErrors.clear()
    }

    /// A peer that refuses our certificate says so after its handshake (TLS 1.3) and closes: what we write then fails
    /// before we have read why.
    private func lostWhileWriting(_ session: TLSSession) -> AMQPError {
        let error = lost(session)
        guard session.watch.alert == nil, !session.hasReceived else { return error }
        return withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
            if case .ended(let reason) = read(session, into: buffer), session.watch.alert != nil { return reason }
            return error
        }
    }

    private func lost(_ session: TLSSession) -> AMQPError {
        let code = errno
        let errors = OpenSSLErrors.take()
        if let alert = session.watch.alert {
            let failure = TLSFailure(alert: alert, lackedCertificate: session.watch.lackedCertificate)
            // The server's verdict on our certificate, unless it comes out of the blue.
            if !session.hasReceived { return failure.error(at: session.place) }
            return AMQPError(.connectionLost, "the TLS connection broke: \(failure.message)", underlying: failure)
        }
        // A peer that closes without TLS's goodbye leaves neither.
        guard code != 0 || !errors.isEmpty else { return AMQPError(.connectionLost, "the peer closed the connection") }
        let reason = errors.isEmpty ? String(cString: strerror(code)) : errors.text
        return AMQPError(.connectionLost, "the TLS connection broke: \(reason)")
    }
}
