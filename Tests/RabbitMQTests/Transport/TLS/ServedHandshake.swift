import Foundation
import Glibc
import TestSupport
import Testing

@testable import RabbitMQ

/// A handshake with `openssl s_server`, over a socket of the test's own.
enum ServedHandshake {
    /// Does it, and lends the session to `body`.
    ///
    /// - Parameters:
    ///   - port: The server's.
    ///   - host: Whose name is verified.
    ///   - relay: What stands between.
    static func run<R>(
        with port: Int,
        _ tls: ConnectionConfiguration.TLS,
        host: String = "localhost",
        through relay: Relay.Manner = Relay.Manner(),
        timeout: Duration = .seconds(10),
        _ body: (TLSSession, Socket) async throws -> R
    ) async throws -> R {
        let made = try await TLSPlan.make(tls, host: host)
        let plan = try #require(made)
        return try await run(plan, over: try Relay.start(to: port, relay), timeout: timeout, body)
    }

    /// - Parameter descriptor: Is closed at the end.
    static func run<R>(
        _ plan: TLSPlan,
        over descriptor: CInt,
        timeout: Duration = .seconds(10),
        _ body: (TLSSession, Socket) async throws -> R
    ) async throws -> R {
        let socket = Socket(owning: descriptor)
        // Nobody may watch the descriptor when it is closed.
        defer { withExtendedLifetime(socket) {} }
        try #require(fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0)
        let readiness = try SocketReadiness(descriptor)
        defer { readiness.cancel() }
        let deadline = MonotonicTime.now + UInt64(timeout.components.seconds * 1_000_000_000)
        let attempt = Socket.Attempt(host: "localhost", address: "127.0.0.1", port: 5671, deadline: deadline)
        let session = try await plan.shakeHands(over: descriptor, attempt, readiness)
        return try await body(session, socket)
    }

    /// What TLS failed for.
    static func failure(
        with port: Int,
        _ tls: ConnectionConfiguration.TLS,
        host: String = "localhost",
        through relay: Relay.Manner = Relay.Manner(),
        timeout: Duration = .seconds(10)
    ) async throws -> TLSFailure {
        let error = await #expect(throws: AMQPError.self) {
            try await run(with: port, tls, host: host, through: relay, timeout: timeout) { _, _ in }
        }
        return try #require(error?.underlying as? TLSFailure, "\(String(describing: error))")
    }
}

extension Socket {
    /// Reads until something comes, or the end.
    func readSoon(_ session: TLSSession) async throws -> Received {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var received = Received.nothingNow
        try await eventually("something to read") {
            received = buffer.withUnsafeMutableBytes { read(session, into: $0) }
            if case .nothingNow = received { return false }
            return true
        }
        return received
    }
}

/// Stands between a client and a server, on a thread of its own that ends with either.
struct Relay {
    struct Manner: Sendable {
        /// How many bytes are passed on at once, at the most.
        var piece = 65_536
        /// After how many bytes of the server's it ends; never by default.
        var limit = Int.max
        /// Whether it then resets the client's connection, or else closes it.
        var resets = false
    }

    /// - Returns: The client's end, which it must close.
    static func start(to port: Int, _ manner: Manner) throws -> CInt {
        let server = try TCPProxy.connectedSocket(toLoopback: port)
        let pair = try LoopbackPair.make()
        var on: CInt = 1
        setsockopt(pair[1], CInt(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<CInt>.size))
        Thread.detachNewThread {
            run(client: pair[1], server: server, manner)
            if manner.resets { LoopbackPair.reset(pair[1]) }
            close(pair[1])
            close(server)
        }
        return pair[0]
    }

    private static func run(client: CInt, server: CInt, _ manner: Manner) {
        var (bytes, left) = ([UInt8](repeating: 0, count: manner.piece), manner.limit)
        while true {
            var polled = [client, server].map { pollfd(fd: $0, events: CShort(POLLIN), revents: 0) }
            guard poll(&polled, 2, 20_000) > 0 else { return }
            if polled[0].revents != 0 {
                let count = recv(client, &bytes, bytes.count, 0)
                guard count > 0, send(server, bytes, count, CInt(MSG_NOSIGNAL)) == count else { return }
            }
            if polled[1].revents != 0 {
                guard left > 0 else { return }
                let count = recv(server, &bytes, min(bytes.count, left), 0)
                guard count > 0, send(client, bytes, count, CInt(MSG_NOSIGNAL)) == count else { return }
                left -= count
            }
        }
    }
}
