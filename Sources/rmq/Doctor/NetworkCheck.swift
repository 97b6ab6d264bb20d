#if Tool
internal import Foundation

/// Looks a host's name up, and tries each of its addresses.
struct NetworkCheck {
    /// An address as the system gives it, and its numbers as text.
    private struct Address: Sendable {
        let bytes: [UInt8]
        let text: String
    }

    let host: String
    let port: Int
    let limit: Duration

    /// Tries both steps.
    ///
    /// - Returns: Whether one of the addresses takes connections.
    func run(_ examination: inout Examination) async -> Bool {
        let start = ContinuousClock.now
        let lookup = await BlockingWork.run(within: limit) { [host, port] in Self.lookUp(host, port) }
        guard let addresses = try? lookup?.get(), !addresses.isEmpty else {
            examination.add(
                "name lookup",
                .failed,
                took: ContinuousClock.now - start,
                lookup.map { "\(host): \(Self.text(of: $0))" } ?? "\(host): no answer within \(limit)",
                cause: lookup == nil
                    ? "the name server does not answer" : "the name is misspelt, or known elsewhere only",
                cure: "getent hosts \(host) asks in the same way; the name server is in /etc/resolv.conf."
            )
            return false
        }
        let texts = addresses.map(\.text).joined(separator: ", ")
        examination.add(
            "name lookup",
            took: ContinuousClock.now - start,
            texts == host ? "an address" : "\(host): \(texts)"
        )
        return await tryEach(addresses, &examination)
    }

    private func tryEach(_ addresses: [Address], _ examination: inout Examination) async -> Bool {
        var errors: [(Address, Int32)] = []
        var open: [String] = []
        let start = ContinuousClock.now
        for address in addresses {
            let began = ContinuousClock.now
            let patience = Int32(clamping: Int(limit / .milliseconds(1)))
            let code =
                await BlockingWork.run(within: limit + .seconds(1)) { Self.connect(address, patience) }
                ?? ETIMEDOUT
            if code == 0 {
                let took = String(format: "%.1f ms", (ContinuousClock.now - began) / .milliseconds(1))
                open.append("\(address.text) in \(took)")
            } else {
                errors.append((address, code))
            }
        }
        let refused = errors.map { "\($0.0.text): \(String(cString: strerror($0.1)))" }
        guard open.isEmpty, let code = errors.first?.1 else {
            examination.add(
                "TCP",
                errors.isEmpty ? .ok : .warning,
                took: ContinuousClock.now - start,
                "port \(port): " + (open + refused).joined(separator: "; "),
                cause: errors.isEmpty
                    ? nil : "not every address of the name takes connections: those are tried in vain",
                cure: errors.isEmpty
                    ? nil : "Have the broker listen there (listeners.tcp), or use an address for a host."
            )
            return true
        }
        examination.add(
            "TCP",
            .failed,
            took: ContinuousClock.now - start,
            "port \(port): " + refused.joined(separator: "; "),
            cause: code == ECONNREFUSED
                ? "nothing listens on port \(port): the broker is stopped, or listens elsewhere"
                : "the machine is off, or something between drops what is sent",
            cure: code == ECONNREFUSED
                ? "On the broker's machine, rabbitmq-diagnostics listeners shows its ports: mostly 5672, and 5671 for TLS."
                : "Ask who runs the firewall between here and port \(port) of \(host)."
        )
        return false
    }

    // MARK: What blocks

    private enum LookupError: Error {
        case code(Int32)
    }

    private static func text(of result: Result<[Address], LookupError>) -> String {
        guard case .failure(.code(let code)) = result else { return "it has no address" }
        return String(cString: gai_strerror(code))
    }

    private static func lookUp(_ host: String, _ port: Int) -> Result<[Address], LookupError> {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var first: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, "\(port)", &hints, &first)
        guard code == 0 else { return .failure(.code(code)) }
        defer { freeaddrinfo(first) }
        var found: [Address] = []
        var next = first
        while let info = next?.pointee {
            next = info.ai_next
            guard let address = info.ai_addr else { continue }
            var name = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let size = socklen_t(name.count)
            guard getnameinfo(address, info.ai_addrlen, &name, size, nil, 0, NI_NUMERICHOST) == 0 else { continue }
            let bytes = UnsafeRawBufferPointer(start: address, count: Int(info.ai_addrlen))
            let text = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            found.append(Address(bytes: Array(bytes), text: text))
        }
        return .success(found)
    }

    /// - Returns: 0, or the system's error.
    private static func connect(_ address: Address, _ milliseconds: Int32) -> Int32 {
        let family = address.bytes.withUnsafeBytes { $0.loadUnaligned(as: sa_family_t.self) }
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(Int32(family), type, 0)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        let begun = address.bytes.withUnsafeBytes { bytes in
            let pointer = bytes.assumingMemoryBound(to: sockaddr.self).baseAddress
            return Foundation.connect(descriptor, pointer, socklen_t(bytes.count))
        }
        if begun == 0 { return 0 }
        guard errno == EINPROGRESS else { return errno }
        var wish = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        guard poll(&wish, 1, milliseconds) > 0 else { return ETIMEDOUT }
        var code: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size)
        return code
    }
}
#endif
