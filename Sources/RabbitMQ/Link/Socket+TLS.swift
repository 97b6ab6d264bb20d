internal import CRabbitMQ
internal import Glibc

/// The TLS of a connected socket. rabbitmq-c owns the SSL and the SSL_CTX; this keeps what they point to.
final class TLSSession {
    let ssl: OpaquePointer
    let watch: TLSWatch
    /// The host and port, for messages.
    let place: String
    var hasReceived = false

    init(ssl: OpaquePointer, watch: TLSWatch, place: String) {
        self.ssl = ssl
        self.watch = watch
        self.place = place
    }
}

extension Socket {
    static func connect(
        _ attempt: Attempt,
        tls: TLSConfiguration,
        _ progress: ConnectProgress
    ) throws(AMQPError) -> Socket {
        let state = try newState()
        do throws(AMQPError) {
            return try connect(attempt, tls: tls, progress, state)
        } catch {
            amqp_destroy_connection(state)
            throw error
        }
    }

    /// - Parameter state: Stays the caller's if this throws.
    private static func connect(
        _ attempt: Attempt,
        tls: TLSConfiguration,
        _ progress: ConnectProgress,
        _ state: amqp_connection_state_t
    ) throws(AMQPError) -> Socket {
        guard let socket = amqp_ssl_socket_new(state), let context = amqp_ssl_socket_get_context(socket) else {
            throw Pool.outOfMemory
        }
        let peerName = PeerName(tls.serverName ?? attempt.host)
        let verifies = tls.verification != .none
        let watch = TLSWatch(peerName: peerName) { ssl in
            progress.beginHandshake(with: attempt.place, descriptor: SSL_get_fd(ssl))
        }
        defer { progress.endHandshake() }
        do throws(TLSFailure) {
            try TLSContext(context: OpaquePointer(context), configuration: tls, peerName: peerName).configure()
        } catch {
            throw error.error()
        }
        watch.install(in: OpaquePointer(context))
        // The context verifies, within the handshake; rabbitmq-c looks once more at what came out. Its own look at the
        // name knows no IP addresses ("amqp_ssl_validate_hostname").
        amqp_ssl_socket_set_verify_peer(socket, verifies ? 1 : 0)
        amqp_ssl_socket_set_verify_hostname(socket, 0)

        OpenSSLErrors.clear()
        let (status, code) = open(socket, attempt)
        let errors = OpenSSLErrors.take()
        return try withExtendedLifetime(watch) { () throws(AMQPError) in
            guard status == AMQP_STATUS_OK.rawValue, let ssl = watch.ssl else {
                // The handshake begins when TCP is connected.
                guard watch.ssl != nil else { throw connectionError(status: status, errno: code, attempt) }
                guard status != AMQP_STATUS_TIMEOUT.rawValue else { throw TLSFailure.timeout.error(at: attempt.place) }
                throw TLSFailure(handshake: watch, errors: errors, errno: code).error(at: attempt.place)
            }
            guard !verifies || (SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER != 0 && isVerified(ssl)) else {
                throw TLSFailure(.serverVerification, .invalidCertificate, "the server's certificate was not verified")
                    .error(at: attempt.place)
            }
            return Socket(
                owning: state,
                descriptor: amqp_socket_get_sockfd(socket),
                tls: TLSSession(ssl: ssl, watch: watch, place: attempt.place)
            )
        }
    }

    private static func isVerified(_ ssl: OpaquePointer) -> Bool { SSL_get_verify_result(ssl) == CLong(X509_V_OK) }

    // MARK: Reading and writing

    func read(_ session: TLSSession, into buffer: UnsafeMutableRawBufferPointer) -> Received {
        OpenSSLErrors.clear()
        errno = 0
        let count = SSL_read(session.ssl, buffer.baseAddress, CInt(clamping: buffer.count))
        if count > 0 {
            session.hasReceived = true
            return .bytes(Int(count))
        }
        switch SSL_get_error(session.ssl, count) {
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
