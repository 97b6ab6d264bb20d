internal import CRabbitMQ
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// What it takes to begin TLS with a host.
struct TLSPlan: Sendable {
    let context: TLSContext
    let peerName: PeerName
    let verifies: Bool

    /// Reading certificates may block, and takes milliseconds where the system's are trusted: it holds up nobody but others
    /// who want TLS. Those in a directory are read within the handshake, where the link is connected.
    private static let threads = BlockingPool("rabbitmq.tls", most: 4)

    /// - Returns: nil if TLS is not wanted.
    static func make(_ tls: ConnectionConfiguration.TLS?, host: String) async throws(AMQPError) -> TLSPlan? {
        guard let tls else { return nil }
        let peerName = PeerName(tls.serverName ?? host)
        let made: Result<TLSContext, TLSFailure>
        do {
            made = try await threads.run { Result { () throws(TLSFailure) in try TLSContext(tls, peerName: peerName) } }
        } catch {
            throw AMQPError(connecting: error)
        }
        switch made {
        case .success(let context):
            return TLSPlan(context: context, peerName: peerName, verifies: tls.verification != .none)
        case .failure(let failure): throw failure.error()
        }
    }

    /// Does the handshake over a connected socket.
    ///
    /// - Returns: The session, whose peer is verified if that is wanted.
    func shakeHands(
        over descriptor: CInt,
        _ attempt: Socket.Attempt,
        _ readiness: SocketReadiness
    ) async throws(AMQPError) -> TLSSession {
        let session = try begin(over: descriptor, attempt)
        while true {
            // OpenSSL's errors and errno are the thread's: they are taken before anything is waited for.
            OpenSSLErrors.clear()
            errno = 0
            SocketBIO.refill(session.ssl)
            let status = SSL_connect(session.ssl)
            let code = errno
            if status == 1 { break }
            let awaited: SocketPoller.Events
            switch SSL_get_error(session.ssl, status) {
            case SSL_ERROR_WANT_READ: awaited = .readable
            case SSL_ERROR_WANT_WRITE: awaited = .writable
            default:
                throw TLSFailure(handshake: session.watch, errors: OpenSSLErrors.take(), errno: code)
                    .error(at: attempt.place)
            }
            do throws(AMQPError) {
                try await readiness.wait(for: awaited, until: attempt.deadline)
            } catch {
                throw error.code == .timedOut ? TLSFailure.timeout.error(at: attempt.place) : error
            }
            // A peer that floods leaves the thread to others in between.
            if SocketBIO.isSpent(session.ssl) { await Task.yield() }
        }
        // The context verifies, within the handshake; this looks once more at what came out.
        guard !verifies || session.isVerified else {
            throw TLSFailure(.serverVerification, .invalidCertificate, "the server's certificate was not verified")
                .error(at: attempt.place)
        }
        return session
    }

    private func begin(over descriptor: CInt, _ attempt: Socket.Attempt) throws(AMQPError) -> TLSSession {
        let watch = TLSWatch(peerName: peerName)
        guard let ssl = SSL_new(context.context) else { throw Pool.outOfMemory }
        watch.watch(ssl)
        let session = TLSSession(owning: ssl, of: context, watch, place: attempt.place)
        guard let bio = SocketBIO.make(descriptor) else { throw Pool.outOfMemory }
        SSL_set_bio(ssl, bio, bio)
        _ = shim_SSL_set_tlsext_host_name(ssl, peerName.indication)
        return session
    }
}

extension TLSSession {
    fileprivate var isVerified: Bool {
        SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER != 0 && SSL_get_verify_result(ssl) == CLong(X509_V_OK)
    }
}
