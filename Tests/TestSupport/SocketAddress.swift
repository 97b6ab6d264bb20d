internal import Glibc

/// A host that was looked up, and a port.
struct SocketAddress: Sendable {
    private let family: CInt
    private let bytes: [UInt8]

    init(host: String, port: Int) throws {
        var wanted = addrinfo()
        wanted.ai_socktype = TCPProxy.streamSocket & ~CInt(SOCK_CLOEXEC.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(port), &wanted, &found)
        defer { freeaddrinfo(found) }
        guard code == 0, let first = found?.pointee, let address = first.ai_addr else {
            throw TCPProxy.SystemError(description: "\(host): \(String(cString: gai_strerror(code)))")
        }
        family = first.ai_family
        bytes = Array(UnsafeRawBufferPointer(start: address, count: Int(first.ai_addrlen)))
    }

    /// A socket that is connected to it. Whoever calls has to close it.
    func connectedSocket() throws -> CInt {
        let descriptor = try TCPProxy.check(socket(family, TCPProxy.streamSocket, 0), "socket")
        let result = bytes.withUnsafeBytes { buffer -> CInt in
            guard let address = buffer.baseAddress?.assumingMemoryBound(to: sockaddr.self) else { return -1 }
            return connect(descriptor, address, socklen_t(buffer.count))
        }
        do {
            try TCPProxy.check(result, "connect")
        } catch {
            close(descriptor)
            throw error
        }
        return descriptor
    }

    /// Accepts a client, and connects to this address for it. Whoever calls has to close both ends.
    ///
    /// - Returns: nil if nobody waits to be accepted, or nobody is to be reached.
    func acceptedPair(on listener: CInt) -> (client: CInt, broker: CInt)? {
        let client = accept(listener, nil, nil)
        guard client >= 0 else { return nil }
        _ = fcntl(client, F_SETFD, FD_CLOEXEC)
        guard let broker = try? connectedSocket() else {
            close(client)
            return nil
        }
        for descriptor in [client, broker] {
            var on: CInt = 1
            setsockopt(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<CInt>.size))
        }
        return (client, broker)
    }
}
