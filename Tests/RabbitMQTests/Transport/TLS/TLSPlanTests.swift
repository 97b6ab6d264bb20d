import Glibc
import TestSupport
import Testing

@testable import RabbitMQ

/// An authority, and a server's certificate of it.
private let made = Task {
    let made = try TestCertificates()
    try await made.issue("authority", .authority)
    try await made.issue("server", .server, by: "authority", for: "DNS:localhost,IP:127.0.0.1")
    return made
}

@Suite("beginning TLS with a host", .timeLimit(.minutes(2)))
struct TLSPlanTests {
    private func tls() async throws -> ConnectionConfiguration.TLS {
        ConnectionConfiguration.TLS(trustRoots: [.file(try await made.value.path("authority.pem"))])
    }

    private func withServer<R>(_ arguments: [String] = [], _ body: (Int) async throws -> R) async throws -> R {
        try await TLSServer.run(showing: try await made.value.path("server"), arguments, body)
    }

    // MARK: Before anything is sent

    @Test func `is not begun where it is not wanted`() async throws {
        #expect(try await TLSPlan.make(nil, host: "localhost") == nil)
    }

    @Test func `verifies as it is told`() async throws {
        var tls = try await tls()
        for (verification, verifies) in [(.full, true), (.withoutName, true), (.none, false)]
            as [(ConnectionConfiguration.TLS.Verification, Bool)]
        {
            tls.verification = verification
            #expect(try await TLSPlan.make(tls, host: "localhost")?.verifies == verifies)
        }
    }

    @Test(arguments: [".", ".localhost", "local\0host", ""])
    func `is not begun with a host whose name OpenSSL would not verify, or take for others too`(host: String)
        async throws
    {
        let tls = try await tls()
        let error = await #expect(throws: AMQPError.self) { _ = try await TLSPlan.make(tls, host: host) }
        #expect((error?.underlying as? TLSFailure)?.reason == .unsupported, "\(String(describing: error))")
        var unverified = tls
        unverified.verification = .withoutName
        #expect(try await TLSPlan.make(unverified, host: host)?.verifies == true)
    }

    @Test func `reads files anew each time`() async throws {
        let (good, own) = (try await made.value.text("authority.pem"), try TestCertificates())
        let tls = ConnectionConfiguration.TLS(trustRoots: [.file(own.path("authority.pem"))])
        let error = await #expect(throws: AMQPError.self) { _ = try await TLSPlan.make(tls, host: "localhost") }
        #expect(error?.code == .invalidArgument)
        try own.write(good, to: "authority.pem")
        #expect(try await TLSPlan.make(tls, host: "localhost") != nil)
    }

    // MARK: The handshake

    @Test(arguments: [1, 7, 65_536], ["-tls1_2", "-tls1_3"])
    func `shakes hands with a peer that sends byte by byte`(piece: Int, version: String) async throws {
        let tls = try await tls()
        try await withServer([version, "-rev"]) { port in
            try await ServedHandshake.run(with: port, tls, through: .init(piece: piece)) { session, socket in
                try send("rabbit\n", session, socket)
                var answer = ""
                while answer.count < 7 {
                    var buffer = [UInt8](repeating: 0, count: 100)
                    switch buffer.withUnsafeMutableBytes({ socket.read(session, into: $0) }) {
                    case .bytes(let count): answer += String(decoding: buffer[..<count], as: UTF8.self)
                    case .nothingNow: try await Task.sleep(for: .milliseconds(1))
                    case .ended(let error): throw error
                    }
                }
                #expect(answer == "tibbar\n")
            }
        }
    }

    private func send(_ text: String, _ session: TLSSession, _ socket: Socket) throws {
        var bytes = Array(text.utf8)
        let count = try bytes.withUnsafeMutableBytes { bytes in
            try withUnsafePointer(to: iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)) {
                try socket.write(session, UnsafeBufferPointer(start: $0, count: 1))
            }
        }
        #expect(count == bytes.count)
    }

    @Test(arguments: [false, true], ["-tls1_2", "-tls1_3"])
    func `fails when the peer leaves in the middle, wherever that is`(resets: Bool, version: String) async throws {
        let tls = try await tls()
        try await withServer([version]) { port in
            for limit in [0, 1, 4, 5, 6, 50, 100, 200, 400, 600] {
                let error = await #expect(throws: AMQPError.self, "\(limit) bytes") {
                    let manner = Relay.Manner(limit: limit, resets: resets)
                    try await ServedHandshake.run(with: port, tls, through: manner) { session, socket in
                        // In TLS 1.3 the client is ready when the server may still change its mind.
                        guard case .ended(let error) = try await socket.readSoon(session) else { return }
                        throw error
                    }
                }
                #expect(error?.code == .connectionLost, "\(limit) bytes: \(String(describing: error))")
            }
        }
    }

    @Test func `fails at the deadline when the peer says nothing, or stops in the middle`() async throws {
        let made = try await TLSPlan.make(tls(), host: "localhost")
        let plan = try #require(made)
        for begins in [[], [22], [22, 3, 3, 0, 100, 2]] as [[UInt8]] {
            let pair = try LoopbackPair.make()
            defer { close(pair[1]) }
            #expect(Glibc.send(pair[1], begins, begins.count, 0) == begins.count)
            let error = await #expect(throws: AMQPError.self) {
                try await ServedHandshake.run(plan, over: pair[0], timeout: .seconds(1)) { _, _ in }
            }
            #expect(error?.code == .timedOut)
            #expect((error?.underlying as? TLSFailure)?.reason == .timedOut)
            #expect(error?.message.contains("localhost (127.0.0.1), port 5671") == true)
        }
    }

    @Test(
        arguments: [
            (Array("AMQP\0\0\u{9}\u{1}".utf8), .notTLS), (Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8), .notTLS),
            ([UInt8](repeating: 0, count: 100), .notTLS), ([UInt8](repeating: 255, count: 100), .notTLS),
            ([22, 3, 3, 0, 4, 2, 0, 0, 0], .other),
            ([22, 3, 3, 255, 255] + [UInt8](repeating: 0, count: 100), .notTLS),
            ([21, 3, 3, 0, 2, 2, 40], .noCommonCipher), ([21, 3, 3, 0, 2, 2, 112], .unknownServerName),
            ([21, 3, 3, 0, 2, 2, 255], .other), ([21, 3, 3, 0, 2, 1, 0], .closedByPeer),
        ] as [([UInt8], TLSFailure.Reason)]
    )
    func `fails for its reason when something else answers`(bytes: [UInt8], reason: TLSFailure.Reason) async throws {
        let made = try await TLSPlan.make(tls(), host: "localhost")
        let plan = try #require(made)
        let pair = try LoopbackPair.make()
        defer { close(pair[1]) }
        #expect(Glibc.send(pair[1], bytes, bytes.count, 0) == bytes.count)
        #expect(shutdown(pair[1], CInt(SHUT_WR)) == 0)
        let error = await #expect(throws: AMQPError.self) {
            try await ServedHandshake.run(plan, over: pair[0]) { _, _ in }
        }
        #expect((error?.underlying as? TLSFailure)?.reason == reason, "\(String(describing: error))")
    }

    // MARK: Names

    @Test func `tells the server a name, and no address`() async throws {
        let certificate = try await made.value.path("server")
        let other = [
            "-servername", "localhost", "-servername_fatal", "-cert2", "\(certificate).pem", "-key2",
            "\(certificate).key",
        ]
        let tls = try await tls()
        try await withServer(other) { port in
            for host in ["localhost", "localhost.", "127.0.0.1"] {
                try await ServedHandshake.run(with: port, tls, host: host) { _, _ in }
            }
            let failure = try await ServedHandshake.failure(with: port, tls, host: "elsewhere")
            #expect(failure.reason == .unknownServerName)
        }
    }

    @Test(
        arguments: [
            ("localhost", "localhost", "localhost"), ("localhost.", "localhost", "localhost"),
            ("127.0.0.1", "127.0.0.1", nil),
            ("::1", "::1", nil), ("fe80::1%eth0", "fe80::1", nil), ("127.1", "127.1", "127.1"), ("%", "%", "%"),
            ("1.2.3.4.5", "1.2.3.4.5", "1.2.3.4.5"), ("[::1]", "[::1]", "[::1]"),
        ] as [(String, String, String?)]
    )
    func `takes an address for one, and a zone and a final dot for its own business`(
        host: String,
        wanted: String,
        indicated: String?
    ) {
        let name = PeerName(host)
        #expect(name.description == wanted)
        #expect(name.indication == indicated)
        #expect(name.isAddress == (indicated == nil))
        #expect(name.isVerifiable)
    }

    /// Of an empty name OpenSSL checks none, and of one that begins with a dot it takes any name below.
    @Test(arguments: ["", ".", "..", ".example", ".%eth0", "a\0b"])
    func `refuses a name for which OpenSSL would check none, or any`(host: String) throws {
        let failure = #expect(throws: TLSFailure.self) {
            _ = try TLSContext(ConnectionConfiguration.TLS(), peerName: PeerName(host))
        }
        #expect(failure?.reason == .unsupported)
    }
}
