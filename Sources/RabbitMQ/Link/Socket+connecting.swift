internal import CRabbitMQ
internal import Glibc

extension Socket {
    /// Connects through rabbitmq-c, and with TLS does its handshake. Blocks until `deadline` at most: except in the name
    /// lookup, which knows no timeout.
    ///
    /// The addresses of the host are tried one after the other; each may take its share of the time that is left, so that
    /// one that swallows everything leaves some for the next.
    /// Sets TCP_NODELAY, SO_KEEPALIVE and close-on-exec, as rabbitmq-c does.
    static func connect(
        to endpoint: Endpoint,
        port: Int,
        tls: TLSConfiguration?,
        deadline: UInt64,
        _ progress: ConnectProgress
    ) throws(AMQPError) -> Socket {
        progress.reach(.lookingUp(host: endpoint.host))
        let addresses = try NameLookup.addresses(of: endpoint.host)
        var failures: [AMQPError] = []
        for (index, address) in addresses.enumerated() {
            guard !progress.isAbandoned else { throw AMQPError(.connectionClosed, "connecting was given up") }
            let now = MonotonicTime.now
            let left = deadline > now ? deadline - now : 1
            let share = Duration.nanoseconds(Int64(clamping: left / UInt64(addresses.count - index)))
            let attempt = Attempt(host: endpoint.host, address: address, port: port, timeout: share)
            progress.reach(.connecting(place: attempt.place))
            do throws(AMQPError) {
                if let tls { return try connect(attempt, tls: tls, progress) }
                return try connect(attempt)
            } catch {
                // A peer that answered has answered for the host.
                guard error.underlying == nil, error.code == .connectionFailed || error.code == .timedOut else {
                    throw error
                }
                failures.append(error)
            }
        }
        throw Self.combined(failures)
    }

    /// One address to connect to.
    struct Attempt {
        let host: String
        /// Numeric.
        let address: String
        let port: Int
        let timeout: Duration

        /// `localhost (::1), port 5672`
        var place: String {
            host == address ? "\(host), port \(port)" : "\(host) (\(address)), port \(port)"
        }
    }

    private static func combined(_ failures: [AMQPError]) -> AMQPError {
        guard let last = failures.last, failures.count > 1 else {
            return failures.last ?? AMQPError(.connectionFailed, "there is no address to connect to")
        }
        let messages = failures.map(\.message).joined(separator: "; ")
        return AMQPError(failures.allSatisfy { $0.code == last.code } ? last.code : .connectionFailed, messages)
    }

    private static func connect(_ attempt: Attempt) throws(AMQPError) -> Socket {
        let state = try newState()
        guard let socket = amqp_tcp_socket_new(state) else {
            amqp_destroy_connection(state)
            throw Pool.outOfMemory
        }
        let (status, code) = open(socket, attempt)
        guard status == AMQP_STATUS_OK.rawValue else {
            amqp_destroy_connection(state)
            throw connectionError(status: status, errno: code, attempt)
        }
        return Socket(owning: state, descriptor: amqp_socket_get_sockfd(socket))
    }

    /// - Returns: The library's status, and errno.
    static func open(_ socket: OpaquePointer, _ attempt: Attempt) -> (CInt, CInt) {
        var time = timeval(attempt.timeout)
        errno = 0
        let status = amqp_socket_open_noblock(socket, attempt.address, CInt(clamping: attempt.port), &time)
        return (status, errno)
    }

    /// Closes a socket that was given and is not used.
    static func close(descriptor: CInt) { _ = Glibc.close(descriptor) }

    /// Takes over a socket that is connected already.
    static func adopt(descriptor: CInt) throws(AMQPError) -> Socket {
        let flags = fcntl(descriptor, F_GETFL)
        guard flags >= 0, fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0 else {
            throw AMQPError(.connectionFailed, "the given descriptor \(descriptor) is no open socket")
        }
        // Fails on sockets that are not TCP, which need it no more than they know it.
        var on: CInt = 1
        _ = setsockopt(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<CInt>.size))
        let state = try newState()
        guard let socket = amqp_tcp_socket_new(state) else {
            amqp_destroy_connection(state)
            throw Pool.outOfMemory
        }
        amqp_tcp_socket_set_sockfd(socket, descriptor)
        return Socket(owning: state, descriptor: descriptor)
    }

    static func newState() throws(AMQPError) -> amqp_connection_state_t {
        guard let state = amqp_new_connection() else { throw Pool.outOfMemory }
        return state
    }

    static func connectionError(status: CInt, errno code: CInt, _ attempt: Attempt) -> AMQPError {
        if status == AMQP_STATUS_TIMEOUT.rawValue {
            return AMQPError(.timedOut, "\(attempt.place) did not answer in time")
        }
        // rabbitmq-c does not always leave the reason in errno.
        let known = [ECONNREFUSED, ENETUNREACH, EHOSTUNREACH, EACCES, EMFILE, ENFILE, EADDRNOTAVAIL]
        let reason = known.contains(code) ? String(cString: strerror(code)) : "refused or unreachable"
        return AMQPError(.connectionFailed, "no connection to \(attempt.place): \(reason)")
    }
}

extension timeval {
    init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self.init(
            tv_sec: Int(clamping: max(0, seconds)),
            tv_usec: max(0, Int(clamping: attoseconds / 1_000_000_000_000))
        )
    }
}
