import RabbitMQ
import TestSupport
import Testing

/// What a server can do wrong, each with the error that it gives, and within its deadline.
@Suite("A server that is wrong about TLS", .needsBrokerScript)
struct TLSServerFaultTests {
    typealias Reason = TLSFailure.Reason
    typealias Step = TLSFailure.Step

    /// A server, what the client does about it, and what comes of that.
    struct Fault: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var certificate = "server"
        var arguments: [String] = []
        var address = "127.0.0.1"
        var configure: @Sendable (inout ConnectionConfiguration.TLS) throws -> Void = { _ in }
        var step: Step
        var reason: Reason
        /// Pieces of the message.
        var says: [String] = []
    }

    static let requiringCertificate = ["-Verify", "1", "-verify_return_error", "-CAfile", (try? caFile) ?? ""]
    private static var caFile: String { get throws { try TestBroker.variable("RABBITMQ_TEST_CA") } }

    static let faults: [Fault] = [
        Fault(
            testDescription: "its certificate has ended",
            certificate: "expired",
            step: .serverVerification,
            reason: .expired,
            says: ["ended", "2020", "CN=localhost"]
        ),
        Fault(
            testDescription: "its certificate is for another name",
            certificate: "wrong-name",
            step: .serverVerification,
            reason: .nameMismatch,
            says: ["not for 127.0.0.1", "DNS name elsewhere.example"]
        ),
        Fault(
            testDescription: "its certificate is for another address",
            address: "127.0.0.2",
            step: .serverVerification,
            reason: .nameMismatch,
            says: ["not for 127.0.0.2", "DNS name localhost, address 127.0.0.1, address 0:0:0:0:0:0:0:1"]
        ),
        Fault(
            testDescription: "its certificate is not for the name that is wanted",
            configure: { $0.serverName = "rabbit.example" },
            step: .serverVerification,
            reason: .nameMismatch,
            says: ["not for rabbit.example"]
        ),
        Fault(
            testDescription: "its common name is the one that is wanted, which is no host name",
            certificate: "stranger",
            configure: { $0.serverName = "stranger" },
            step: .serverVerification,
            reason: .invalidCertificate
        ),
        Fault(
            testDescription: "its certificate comes from an authority that is not trusted",
            certificate: "untrusted-server",
            step: .serverVerification,
            reason: .untrustedIssuer,
            says: ["an authority nobody trusts"]
        ),
        Fault(
            testDescription: "the system's authorities don't know its authority",
            configure: { $0.trustRoots = [.system] },
            step: .serverVerification,
            reason: .untrustedIssuer
        ),
        Fault(
            testDescription: "its certificate is signed by itself",
            certificate: "untrusted-ca",
            step: .serverVerification,
            reason: .selfSigned
        ),
        Fault(
            testDescription: "its certificate is one for clients",
            certificate: "client",
            step: .serverVerification,
            reason: .invalidCertificate,
            says: ["purpose"]
        ),
        Fault(
            testDescription: "an ended certificate stays one when any name will do",
            certificate: "expired",
            configure: { $0.verification = .withoutName },
            step: .serverVerification,
            reason: .expired
        ),
        Fault(
            testDescription: "it speaks TLS 1.1 only",
            arguments: ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
            step: .negotiation,
            reason: .noCommonVersion
        ),
        Fault(
            testDescription: "it speaks TLS 1.0 only, and the client TLS 1.3 only",
            arguments: ["-tls1", "-cipher", "ALL:@SECLEVEL=0"],
            configure: { $0.minimumVersion = .tls13 },
            step: .negotiation,
            reason: .noCommonVersion
        ),
        Fault(
            testDescription: "it speaks TLS 1.2 only, and the client wants 1.3",
            arguments: ["-tls1_2"],
            configure: { $0.minimumVersion = .tls13 },
            step: .negotiation,
            reason: .noCommonVersion
        ),
        Fault(
            testDescription: "it speaks TLS 1.3 only, and the client wants 1.2",
            arguments: ["-tls1_3"],
            configure: { $0.maximumVersion = .tls12 },
            step: .negotiation,
            reason: .noCommonVersion
        ),
        Fault(
            testDescription: "it has no cipher that is any good",
            arguments: ["-tls1_2", "-cipher", "NULL:@SECLEVEL=0"],
            step: .negotiation,
            reason: .noCommonCipher
        ),
        Fault(
            testDescription: "it wants a certificate, with TLS 1.3, and gets none",
            arguments: ["-tls1_3"] + requiringCertificate,
            step: .clientVerification,
            reason: .clientCertificateRequired
        ),
        Fault(
            testDescription: "it wants a certificate, with TLS 1.2, and gets none",
            arguments: ["-tls1_2"] + requiringCertificate,
            step: .clientVerification,
            reason: .clientCertificateRequired
        ),
        Fault(
            testDescription: "it does not trust the client's certificate, with TLS 1.3",
            arguments: ["-tls1_3"] + requiringCertificate,
            configure: { $0.identity = try TestBroker.identity("untrusted-client") },
            step: .clientVerification,
            reason: .clientCertificateRefused
        ),
        Fault(
            testDescription: "it does not trust the client's certificate, with TLS 1.2",
            arguments: ["-tls1_2"] + requiringCertificate,
            configure: { $0.identity = try TestBroker.identity("untrusted-client") },
            step: .clientVerification,
            reason: .clientCertificateRefused
        ),
        Fault(
            testDescription: "it takes the client's certificate for one of a server",
            arguments: requiringCertificate,
            configure: { $0.identity = try TestBroker.identity("wrong-name") },
            step: .clientVerification,
            reason: .clientCertificateRefused
        ),
    ]

    @Test("gives the error that says so", arguments: faults)
    func fault(_ fault: Fault) async throws {
        try await TLSServer.run(showing: fault.certificate, fault.arguments, on: fault.address) { port in
            var tls = try TestBroker.tls
            try fault.configure(&tls)
            let error = try await connectionError(ConnectionConfiguration(host: fault.address, port: port, tls: tls))
            let failure = try #require(error.underlying as? TLSFailure, "\(error)")
            #expect(error.code == .tlsFailed, "\(error)")
            #expect(failure.step == fault.step, "\(error)")
            #expect(failure.reason == fault.reason, "\(error)")
            for piece in fault.says { #expect(error.message.contains(piece), "\(error)") }
        }
    }

    @Test("by name gives the wanted name and those that are offered")
    func names() async throws {
        try await TLSServer.run(showing: "wrong-name") { port in
            let configuration = ConnectionConfiguration(host: "127.0.0.1", port: port, tls: try TestBroker.tls)
            let failure = try await connectionError(configuration).underlying as? TLSFailure
            #expect(failure?.wantedName == "127.0.0.1")
            #expect(failure?.offeredNames == ["elsewhere.example"])
        }
    }

    /// A listener that is no server of TLS, and what comes of it.
    static let rude: [(RudeListener.Manner, AMQPError.Code, Reason)] = [
        (.silent, .timedOut, .timedOut),
        (.closes, .connectionLost, .closedByPeer),
        (.says(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)), AMQPError.Code.tlsFailed, Reason.notTLS),
        (.says(Array("AMQP\u{0}\u{0}\u{9}\u{1}".utf8)), .tlsFailed, .notTLS),
        (.says([UInt8](repeating: 0, count: 64)), .tlsFailed, .notTLS),
    ]

    @Test("or no server of TLS at all gives the error that says so", arguments: rude)
    func noTLS(manner: RudeListener.Manner, code: AMQPError.Code, reason: Reason) async throws {
        try await RudeListener.run(manner) { listener in
            var configuration = ConnectionConfiguration(host: "127.0.0.1", port: listener.port, tls: try TestBroker.tls)
            if case .silent = manner { configuration.connectTimeout = .seconds(2) }
            let error = try await connectionError(configuration)
            #expect(error.code == code, "\(error)")
            #expect((error.underlying as? TLSFailure)?.reason == reason, "\(error)")
        }
    }

    @Test("such as the broker's port without TLS is told apart")
    func plainPort() async throws {
        let configuration = ConnectionConfiguration(
            host: try TestBroker.host,
            port: try TestBroker.plainPort,
            tls: try TestBroker.tls
        )
        let error = try await connectionError(configuration)
        #expect(error.code == .tlsFailed, "\(error)")
        #expect((error.underlying as? TLSFailure)?.reason == .notTLS, "\(error)")
    }

    @Test("such as the broker's port with TLS, spoken to without, gives an error")
    func encryptedPort() async throws {
        let configuration = ConnectionConfiguration(host: try TestBroker.host, port: try TestBroker.tlsPort)
        let error = try await connectionError(configuration)
        #expect(error.code == .protocolViolation, "\(error)")
        #expect(error.message.contains("TLS"), "\(error)")
    }

    @Test("and silent is given up as soon as the task is cancelled")
    func cancelled() async throws {
        try await RudeListener.run(.silent) { listener in
            var configuration = ConnectionConfiguration(host: "127.0.0.1", port: listener.port, tls: try TestBroker.tls)
            configuration.connectTimeout = .seconds(60)
            let connecting = Task { [configuration] in try await Connection.connect(configuration) }
            // Other tests' silent servers may hold up whoever dials.
            try await eventually("the handshake has begun", within: .seconds(30)) { listener.isSpokenTo }
            let start = ContinuousClock.now
            connecting.cancel()
            await #expect(throws: CancellationError.self) { try await connecting.value }
            // The handshake, which blocks the link's queue, ends as well.
            try await eventually("the socket is closed") { listener.isLeft }
            #expect(ContinuousClock.now - start < .seconds(10))
        }
    }
}

/// Connects, which must fail with a typed error within its deadline.
func connectionError(_ configuration: ConnectionConfiguration) async throws -> AMQPError {
    var configuration = configuration
    if configuration.connectTimeout > .seconds(8) { configuration.connectTimeout = .seconds(8) }
    return try await within(configuration.connectTimeout + .seconds(4), "the error of connecting") {
        [configuration] in
        do {
            let connection = try await Connection.connect(configuration)
            await connection.close()
        } catch let error as AMQPError {
            return error
        }
        throw PeerError("it connected")
    }
}
