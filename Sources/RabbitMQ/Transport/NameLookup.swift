internal import Synchronization
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// Looks up host names, on threads of its own: the system's resolver blocks for as long as it wants to.
final class NameLookup: Sendable {
    typealias Answer = Result<[String], AMQPError>

    /// So many names are looked up at a time, which is for those that hang: others take milliseconds.
    static let shared = NameLookup(pool: BlockingPool("rabbitmq.lookup", most: 32)) { host in
        Result { () throws(AMQPError) in try addresses(of: host) }
    }

    private let pool: BlockingPool
    private let lookUp: @Sendable (String) -> Answer
    /// Who waits for a name that is being looked up. Who asks for the same joins them, so that a name that hangs holds up
    /// one thread, however many connect to it.
    private let asking = Mutex<[String: [OneShot<[String]>]]>([:])

    init(pool: BlockingPool, lookUp: @escaping @Sendable (String) -> Answer) {
        self.pool = pool
        self.lookUp = lookUp
    }

    /// The addresses of a host, numeric, IPv6 and IPv4, in the order in which to try them (RFC 6724).
    func addresses(of host: String) async throws -> [String] {
        // What is numeric is not looked up, and waits for no thread.
        if let address = try? Self.addresses(of: host, flags: AI_NUMERICHOST) { return address }
        let answer = OneShot<[String]>()
        let isFirst = asking.withLock { asking in
            asking[host, default: []].append(answer)
            return asking[host]?.count == 1
        }
        if isFirst {
            do throws(AMQPError) {
                try pool.start { self.answer(host) }
            } catch {
                tell(host, .failure(error))
            }
        }
        return try await answer.value()
    }

    private func answer(_ host: String) {
        let isAwaited = asking.withLock { asking in
            if asking[host]?.contains(where: { !$0.isSettled }) == true { return true }
            asking[host] = nil
            return false
        }
        if isAwaited { tell(host, lookUp(host)) }
    }

    private func tell(_ host: String, _ answer: Answer) {
        for waiter in asking.withLock({ $0.removeValue(forKey: host) }) ?? [] {
            waiter.resolve(answer.mapError { $0 })
        }
    }

    private static func addresses(of host: String, flags: CInt = 0) throws(AMQPError) -> [String] {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        hints.ai_flags = flags
        var first: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, nil, &hints, &first)
        guard status == 0 else {
            let reason = status == EAI_SYSTEM ? String(cString: strerror(errno)) : String(cString: gai_strerror(status))
            throw AMQPError(.connectionFailed, "no address was found for the host name \(host): \(reason)")
        }
        defer { freeaddrinfo(first) }
        var addresses: [String] = []
        var entry = first
        while let current = entry {
            if let address = numeric(current.pointee), !addresses.contains(address) { addresses.append(address) }
            entry = current.pointee.ai_next
        }
        guard !addresses.isEmpty else {
            throw AMQPError(.connectionFailed, "no address was found for the host name \(host)")
        }
        return addresses
    }

    private static func numeric(_ entry: addrinfo) -> String? {
        let capacity = Int(NI_MAXHOST)
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: capacity) { text in
            guard let start = text.baseAddress else { return nil }
            let status = getnameinfo(
                entry.ai_addr,
                entry.ai_addrlen,
                start,
                socklen_t(capacity),
                nil,
                0,
                NI_NUMERICHOST
            )
            return status == 0 ? String(cString: start) : nil
        }
    }
}
