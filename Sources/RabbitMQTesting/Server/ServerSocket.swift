internal import RabbitMQ
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// The system calls of the broker's side of a connection. None of them blocks.
enum ServerSocket {
    /// Listens on a port of 127.0.0.1 that the system chooses.
    static func listen() throws(AMQPError) -> (descriptor: CInt, port: Int) {
        let descriptor = socket(AF_INET, streamType, 0)
        guard descriptor >= 0 else { throw failure("socket") }
        prepare(descriptor)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr = in_addr(s_addr: UInt32(0x7F00_0001).bigEndian)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(descriptor, pointer, length) == 0 && system_listen(descriptor) == 0
                    && getsockname(descriptor, pointer, &length) == 0
            }
        }
        guard isListening else {
            let failure = failure("listen")
            close(descriptor)
            throw failure
        }
        return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
    }

    /// A pair of connected sockets, to wake a thread that polls.
    static func pair() throws(AMQPError) -> (CInt, CInt) {
        var ends: [CInt] = [-1, -1]
        guard socketpair(AF_UNIX, streamType, 0, &ends) == 0 else { throw failure("socketpair") }
        for end in ends { prepare(end) }
        return (ends[0], ends[1])
    }

    enum Accepted {
        case connection(CInt)
        case noneNow
        /// One waits perhaps, but can't be had: the process has no descriptor left, for example.
        case failed
    }

    /// The next connection that waits.
    static func accept(from listener: CInt) -> Accepted {
        let descriptor = system_accept(listener)
        guard descriptor >= 0 else { return isPassing(errno) || errno == ECONNABORTED ? .noneNow : .failed }
        prepare(descriptor)
        var on: CInt = 1
        setsockopt(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<CInt>.size))
        return .connection(descriptor)
    }

    enum Received {
        case bytes(Int)
        case nothingNow
        case ended
    }

    static func read(_ descriptor: CInt, into buffer: UnsafeMutableRawBufferPointer) -> Received {
        let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
        if count > 0 { return .bytes(count) }
        return count < 0 && isPassing(errno) ? .nothingNow : .ended
    }

    /// - Returns: How many bytes the socket took; nil if the connection is gone.
    static func write(_ descriptor: CInt, _ bytes: UnsafeRawBufferPointer) -> Int? {
        let count = send(descriptor, bytes.baseAddress, bytes.count, CInt(MSG_NOSIGNAL))
        if count >= 0 { return count }
        return isPassing(errno) ? 0 : nil
    }

    /// Says that nothing more comes; what the client still sends can be read.
    static func finish(_ descriptor: CInt) { shutdown(descriptor, CInt(SHUT_WR)) }

    /// Closes it so that the client gets an RST.
    static func reset(_ descriptor: CInt) {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
        close(descriptor)
    }

    static func close(_ descriptor: CInt) { system_close(descriptor) }

    #if canImport(Glibc)
    private static let streamType = CInt(SOCK_STREAM.rawValue)
    #else
    private static let streamType = SOCK_STREAM
    #endif

    private static func prepare(_ descriptor: CInt) {
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    }

    private static func isPassing(_ code: CInt) -> Bool { code == EAGAIN || code == EWOULDBLOCK || code == EINTR }

    private static func failure(_ call: String) -> AMQPError {
        AMQPError(
            .connectionFailed,
            "the in-process broker has no socket: \(call): \(String(cString: strerror(errno)))"
        )
    }
}

// Under names of their own: within the type, its functions hide the system's.
private func system_listen(_ descriptor: CInt) -> CInt { listen(descriptor, 128) }
private func system_accept(_ descriptor: CInt) -> CInt { accept(descriptor, nil, nil) }
private func system_close(_ descriptor: CInt) { _ = close(descriptor) }
