#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

extension Socket {
    /// Connects, and with TLS does its handshake, until `deadline` at most. It holds up no thread while it waits: what
    /// blocks, the lookup of names and the reading of files of certificates, has threads of its own. Of a directory of
    /// certificates OpenSSL reads what it needs within the handshake, single small files.
    ///
    /// The addresses of the host are tried one after the other; each may take its share of the time that is left, so that
    /// one that swallows everything leaves some for the next.
    static func connect(
        to endpoint: ConnectionConfiguration.Endpoint,
        port: Int,
        tls: ConnectionConfiguration.TLS?,
        deadline: UInt64,
        _ progress: ConnectProgress
    ) async throws(AMQPError) -> sending Socket {
        // What is wrong with the configuration is told first.
        let plan = try await TLSPlan.make(tls, host: endpoint.host)
        progress.reach(.lookingUp(host: endpoint.host))
        let addresses: [String]
        do {
            addresses = try await NameLookup.shared.addresses(of: endpoint.host)
        } catch {
            throw AMQPError(connecting: error)
        }
        var failures: [AMQPError] = []
        for (index, address) in addresses.enumerated() {
            let now = MonotonicTime.now
            let left = deadline > now ? deadline - now : 1
            let attempt = Attempt(
                host: endpoint.host,
                address: address,
                port: port,
                deadline: now + left / UInt64(addresses.count - index)
            )
            progress.reach(.connecting(place: attempt.place))
            do throws(AMQPError) {
                return try await connect(attempt, plan, progress)
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
        /// In ``MonotonicTime``.
        let deadline: UInt64

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

    private static func connect(
        _ attempt: Attempt,
        _ plan: TLSPlan?,
        _ progress: ConnectProgress
    ) async throws(AMQPError) -> sending Socket {
        let descriptor = try dial(attempt)
        do throws(AMQPError) {
            let readiness = try SocketReadiness(descriptor)
            defer { readiness.cancel() }
            try await finishDialling(attempt, descriptor, readiness)
            guard let plan else { return Socket(owning: descriptor) }
            progress.reach(.encrypting(place: attempt.place))
            return Socket(owning: descriptor, tls: try await plan.shakeHands(over: descriptor, attempt, readiness))
        } catch {
            close(descriptor: descriptor)
            throw error
        }
    }

    // MARK: TCP

    /// Begins to connect.
    ///
    /// - Returns: A descriptor that programs which this one starts don't get, whose calls never block, and which has
    ///   TCP_NODELAY and SO_KEEPALIVE.
    private static func dial(_ attempt: Attempt) throws(AMQPError) -> CInt {
        var hints = addrinfo()
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(attempt.address, String(attempt.port), &hints, &found) == 0, let found else {
            throw AMQPError(.connectionFailed, "no connection to \(attempt.place): that is no address")
        }
        defer { freeaddrinfo(found) }
        let type = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
        let descriptor = try DescriptorReserve.take {
            socket(found.pointee.ai_family, type, found.pointee.ai_protocol)
        }
        guard descriptor >= 0 else { throw failure(errno, attempt) }
        turnOn(SOL_SOCKET, SO_KEEPALIVE, of: descriptor)
        turnOn(CInt(IPPROTO_TCP), TCP_NODELAY, of: descriptor)
        if Glibc.connect(descriptor, found.pointee.ai_addr, found.pointee.ai_addrlen) == 0 { return descriptor }
        let code = errno
        // It goes on by itself.
        if code == EINPROGRESS || code == EINTR { return descriptor }
        close(descriptor: descriptor)
        throw failure(code, attempt)
    }

    private static func finishDialling(
        _ attempt: Attempt,
        _ descriptor: CInt,
        _ readiness: SocketReadiness
    ) async throws(AMQPError) {
        do throws(AMQPError) {
            try await readiness.wait(for: .writable, until: attempt.deadline)
        } catch {
            throw error.code == .timedOut ? AMQPError(.timedOut, "\(attempt.place) did not answer in time") : error
        }
        var (code, size) = (CInt(0), socklen_t(MemoryLayout<CInt>.size))
        guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size) == 0 else { throw failure(errno, attempt) }
        guard code == 0 else { throw failure(code, attempt) }
    }

    private static func failure(_ code: CInt, _ attempt: Attempt) -> AMQPError {
        if code == ETIMEDOUT { return AMQPError(.timedOut, "\(attempt.place) did not answer in time") }
        return AMQPError(.connectionFailed, "no connection to \(attempt.place): \(String(cString: strerror(code)))")
    }

    /// Fails on sockets that are not TCP, which need what is TCP's no more than they know it.
    private static func turnOn(_ level: CInt, _ option: CInt, of descriptor: CInt) {
        var on: CInt = 1
        _ = setsockopt(descriptor, level, option, &on, socklen_t(MemoryLayout<CInt>.size))
    }

    // MARK: Sockets that are given

    /// Closes a socket that was given and is not used.
    static func close(descriptor: CInt) { _ = Glibc.close(descriptor) }

    /// Takes over a socket that is connected already.
    static func adopt(descriptor: CInt) throws(AMQPError) -> Socket {
        let flags = fcntl(descriptor, F_GETFL)
        guard flags >= 0, fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0 else {
            throw AMQPError(.connectionFailed, "the given descriptor \(descriptor) is no open socket")
        }
        // Programs that this one starts are not to keep the connection open, nor to read from it.
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        turnOn(CInt(IPPROTO_TCP), TCP_NODELAY, of: descriptor)
        return Socket(owning: descriptor)
    }
}
