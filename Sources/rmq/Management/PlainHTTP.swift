#if Tool
internal import Foundation

/// A question to a web server without TLS: HTTP 1.0, where an answer comes in one piece, and ends the connection.
///
/// The client of FoundationNetworking would be loaded, with libcurl and what that needs, by every command.
struct PlainHTTP {
    let host: String
    let port: Int
    /// How long all of it may take.
    let limit: Duration

    /// Asks, and blocks meanwhile.
    func get(_ target: String, headers: [String]) throws -> HTTPAnswer {
        let end = ContinuousClock.now + limit
        let descriptor = try connected(until: end)
        defer { close(descriptor) }
        let name = host.contains(":") ? "[\(host)]" : host
        let lines = ["GET \(target) HTTP/1.0", "Host: \(name):\(port)"] + headers + ["", ""]
        try say(Array(lines.joined(separator: "\r\n").utf8), on: descriptor, until: end)
        return try listen(on: descriptor, until: end)
    }

    private func connected(until end: ContinuousClock.Instant) throws -> Int32 {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var first: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, "\(port)", &hints, &first)
        guard code == 0 else { throw ToolError(String(cString: gai_strerror(code))) }
        defer { freeaddrinfo(first) }
        var problem = ToolError("the name has no address")
        var next = first
        while let info = next?.pointee {
            next = info.ai_next
            guard let address = info.ai_addr else { continue }
            let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
            let descriptor = socket(info.ai_family, type, 0)
            guard descriptor >= 0 else { throw Self.failure(errno) }
            do {
                try connect(descriptor, address, info.ai_addrlen, until: end)
                return descriptor
            } catch let error as ToolError {
                close(descriptor)
                problem = error
            }
        }
        throw problem
    }

    private func connect(
        _ descriptor: Int32,
        _ address: UnsafeMutablePointer<sockaddr>,
        _ size: socklen_t,
        until end: ContinuousClock.Instant
    ) throws {
        if Foundation.connect(descriptor, address, size) == 0 { return }
        guard errno == EINPROGRESS else { throw Self.failure(errno) }
        try wait(for: POLLOUT, on: descriptor, until: end)
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
        if code != 0 { throw Self.failure(code) }
    }

    private func say(_ bytes: [UInt8], on descriptor: Int32, until end: ContinuousClock.Instant) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            try wait(for: POLLOUT, on: descriptor, until: end)
            let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR, errno != EAGAIN {
                throw Self.failure(errno)
            }
        }
    }

    private func listen(on descriptor: Int32, until end: ContinuousClock.Instant) throws -> HTTPAnswer {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        var head: HTTPHead?
        while true {
            if head == nil { head = try HTTPHead(bytes) }
            if let head, let length = head.length, bytes.count - head.count >= length {
                return HTTPAnswer(status: head.status, body: Array(bytes[head.count...].prefix(length)))
            }
            guard bytes.count <= HTTPAnswer.longest else { throw ToolError("the answer is too long") }
            try wait(for: POLLIN, on: descriptor, until: end)
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count > 0 {
                bytes += chunk[..<count]
            } else if count == 0 {
                // An answer whose length is not told ends so; another one is not whole.
                guard let head, head.length == nil else { throw ToolError("the connection ended before the answer") }
                return HTTPAnswer(status: head.status, body: Array(bytes[head.count...]))
            } else if errno != EINTR, errno != EAGAIN {
                throw Self.failure(errno)
            }
        }
    }

    private func wait(for event: Int32, on descriptor: Int32, until end: ContinuousClock.Instant) throws {
        while true {
            let left: Duration = end - .now
            let rest = Int32(clamping: Int(left / .milliseconds(1)))
            guard rest > 0 else { throw ToolError("no answer within \(limit)") }
            var wish = pollfd(fd: descriptor, events: Int16(event), revents: 0)
            if poll(&wish, 1, rest) > 0 { return }
        }
    }

    private static func failure(_ code: Int32) -> ToolError { ToolError(String(cString: strerror(code))) }
}
#endif
