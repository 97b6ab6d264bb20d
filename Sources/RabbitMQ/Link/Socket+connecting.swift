internal import CRabbitMQ
internal import Glibc

extension Socket {
    /// Connects through rabbitmq-c. Blocks, for `timeout` at most: except in the name lookup, which knows no timeout.
    ///
    /// Sets TCP_NODELAY, SO_KEEPALIVE and close-on-exec, as rabbitmq-c does.
    static func connect(host: String, port: Int, timeout: Duration) throws(AMQPError) -> Socket {
        let state = try newState()
        guard let socket = amqp_tcp_socket_new(state) else {
            amqp_destroy_connection(state)
            throw Pool.outOfMemory
        }
        var time = timeval(timeout)
        errno = 0
        let status = amqp_socket_open_noblock(socket, host, CInt(clamping: port), &time)
        guard status == AMQP_STATUS_OK.rawValue else {
            let code = errno
            amqp_destroy_connection(state)
            throw connectionError(status: status, errno: code, host: host, port: port)
        }
        return Socket(owning: state, descriptor: amqp_socket_get_sockfd(socket))
    }

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

    static func connectionError(status: CInt, errno code: CInt, host: String, port: Int) -> AMQPError {
        let place = "\(host):\(port)"
        switch status {
        case AMQP_STATUS_HOSTNAME_RESOLUTION_FAILED.rawValue:
            return AMQPError(.connectionFailed, "no address was found for the host name \(host)")
        case AMQP_STATUS_TIMEOUT.rawValue:
            return AMQPError(.timedOut, "\(place) did not answer in time")
        default:
            let known = [ECONNREFUSED, ENETUNREACH, EHOSTUNREACH, EACCES, EMFILE, ENFILE, EADDRNOTAVAIL]
            let reason = known.contains(code) ? String(cString: strerror(code)) : "refused or unreachable"
            return AMQPError(.connectionFailed, "no connection to \(place): \(reason)")
        }
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
