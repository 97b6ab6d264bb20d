internal import Glibc

/// Looks up host names. Blocks, for as long as the system's resolver wants to.
///
/// rabbitmq-c would look a name up by itself, but gives all of the time to the first address, and doesn't say why a
/// lookup failed.
enum NameLookup {
    /// The addresses of a host, numeric, IPv6 and IPv4, in the order in which to try them (RFC 6724).
    static func addresses(of host: String) throws(AMQPError) -> [String] {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
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
