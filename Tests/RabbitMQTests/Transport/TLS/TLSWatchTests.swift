import TestSupport
import Testing

@testable import RabbitMQ

/// Authorities, and what they have signed.
private let made = Task {
    let made = try TestCertificates()
    for name in ["authority", "stranger"] { try await made.issue(name, .authority) }
    try await made.issue("server", .server, by: "authority", for: "DNS:localhost,IP:127.0.0.1")
    try await made.issue("client", .client, by: "authority")
    try await made.issue("unknown", .client, by: "stranger")
    return made
}

@Suite("what is seen of a handshake", .timeLimit(.minutes(2)))
struct TLSWatchTests {
    private func tls() async throws -> ConnectionConfiguration.TLS {
        ConnectionConfiguration.TLS(trustRoots: [.file(try await made.value.path("authority.pem"))])
    }

    private func identity(_ name: String) async throws -> ConnectionConfiguration.TLS.ClientIdentity {
        let made = try await made.value
        return .init(certificate: .file(made.path("\(name).pem")), key: .file(made.path("\(name).key")))
    }

    private func withServer<R>(
        showing name: String = "server",
        _ arguments: [String] = [],
        _ body: (Int) async throws -> R
    ) async throws -> R {
        try await TLSServer.run(showing: try await made.value.path(name), arguments, body)
    }

    // MARK: Success

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func `is nothing when it succeeds`(version: String) async throws {
        let tls = try await tls()
        try await withServer([version]) { port in
            try await ServedHandshake.run(with: port, tls) { session, _ in
                #expect(session.watch.verification == nil)
                #expect(session.watch.alert == nil)
                #expect(!session.watch.lackedCertificate)
            }
        }
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func `is a certificate that is missing, though the server does without`(version: String) async throws {
        var tls = try await tls()
        try await withServer([version, "-verify", "1"]) { port in
            try await ServedHandshake.run(with: port, tls) { session, _ in
                #expect(session.watch.lackedCertificate)
                #expect(session.watch.alert == nil)
            }
            tls.identity = try await identity("client")
            try await ServedHandshake.run(with: port, tls) { session, _ in
                #expect(!session.watch.lackedCertificate)
            }
        }
    }

    @Test func `is no warning of the server's, which does not end it`() async throws {
        let tls = try await tls()
        let path = try await made.value.path("server")
        let other = ["-servername", "elsewhere", "-cert2", "\(path).pem", "-key2", "\(path).key"]
        try await withServer(["-tls1_2"] + other) { port in
            // The server warns that it does not know the name, and goes on.
            try await ServedHandshake.run(with: port, tls) { session, _ in #expect(session.watch.alert == nil) }
        }
    }

    @Test func `is not what another session of the same context sees`() async throws {
        let tls = try await tls()
        let made = try await TLSPlan.make(tls, host: "localhost")
        let plan = try #require(made)
        try await withServer(["-tls1_3", "-Verify", "1", "-verify_return_error"]) { strict in
            try await withServer { mild in
                try await ServedHandshake.run(plan, over: Relay.start(to: strict, .init())) { refused, socket in
                    try await ServedHandshake.run(plan, over: Relay.start(to: mild, .init())) { taken, _ in
                        guard case .ended(let error) = try await socket.readSoon(refused) else { return }
                        #expect((error.underlying as? TLSFailure)?.reason == .clientCertificateRequired)
                        #expect(refused.watch.alert == 116)
                        #expect(refused.watch.lackedCertificate)
                        #expect(taken.watch.alert == nil)
                        #expect(!taken.watch.lackedCertificate)
                    }
                }
            }
        }
    }

    // MARK: The client's certificate

    @Test(arguments: [nil, "unknown"], ["-tls1_2", "-tls1_3"])
    func `is why the server does not take the client`(name: String?, version: String) async throws {
        var tls = try await tls()
        if let name { tls.identity = try await identity(name) }
        let authority = try await made.value.path("authority.pem")
        try await withServer([version, "-Verify", "1", "-verify_return_error", "-CAfile", authority]) { port in
            let error = await #expect(throws: AMQPError.self) {
                try await ServedHandshake.run(with: port, tls) { session, socket in
                    // In TLS 1.3 it says so behind the handshake.
                    guard case .ended(let error) = try await socket.readSoon(session) else { return }
                    throw error
                }
            }
            let failure = try #require(error?.underlying as? TLSFailure, "\(String(describing: error))")
            #expect(failure.step == .clientVerification)
            #expect(failure.reason == (name == nil ? .clientCertificateRequired : .clientCertificateRefused))
        }
    }

    // MARK: The server's certificate

    private struct Refusal: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var role = TestCertificates.Role.server
        var issuer: String? = "authority"
        var alternatives: String? = "DNS:localhost"
        var year: Int?
        var host = "localhost"
        var reason: TLSFailure.Reason
        var says: [String]
    }

    private static let refusals = [
        Refusal(
            testDescription: "it has ended",
            year: 2010,
            reason: .expired,
            says: ["the server's certificate (CN=shown) ended on Jan  1 00:00:00 2012 GMT"]
        ),
        Refusal(
            testDescription: "it has not begun",
            year: 2040,
            reason: .notYetValid,
            says: ["the server's certificate (CN=shown) begins only on Jan  1 00:00:00 2040 GMT"]
        ),
        Refusal(
            testDescription: "it is signed by itself",
            issuer: nil,
            reason: .selfSigned,
            says: ["signed by itself"]
        ),
        Refusal(
            testDescription: "nobody who is trusted has signed it",
            issuer: "stranger",
            reason: .untrustedIssuer,
            says: ["(CN=shown), issued by CN=stranger,"]
        ),
        Refusal(
            testDescription: "it is for a client",
            role: .client,
            reason: .invalidCertificate,
            says: ["(CN=shown) is not valid: ", "purpose"]
        ),
        Refusal(
            testDescription: "one that is no authority has signed it",
            issuer: "server",
            reason: .untrustedIssuer,
            says: ["issued by CN=server"]
        ),
        Refusal(
            testDescription: "it is for another name",
            alternatives: "DNS:elsewhere.example,DNS:*.example",
            reason: .nameMismatch,
            says: ["is not for localhost: it is for DNS name elsewhere.example, DNS name *.example"]
        ),
        Refusal(
            testDescription: "it has its name as a common name only",
            alternatives: nil,
            host: "shown",
            reason: .nameMismatch,
            says: ["is not for shown: it is for no name at all"]
        ),
        Refusal(
            testDescription: "a wildcard is for one label only",
            alternatives: "DNS:*.example",
            host: "a.b.example",
            reason: .nameMismatch,
            says: ["is not for a.b.example"]
        ),
        Refusal(
            testDescription: "a wildcard is for a whole label only",
            alternatives: "DNS:a*.rabbit.example",
            host: "ab.rabbit.example",
            reason: .nameMismatch,
            says: ["is not for ab.rabbit.example"]
        ),
        Refusal(
            testDescription: "it is for another address",
            alternatives: "IP:127.0.0.2",
            host: "127.0.0.1",
            reason: .nameMismatch,
            says: ["is not for 127.0.0.1: it is for address 127.0.0.2"]
        ),
        Refusal(
            testDescription: "it has its address as a name",
            alternatives: "DNS:127.0.0.1",
            host: "127.0.0.1",
            reason: .nameMismatch,
            says: ["it is for DNS name 127.0.0.1; an address counts only where it stands as one"]
        ),
        Refusal(
            testDescription: "it has ended and is for another name: the first that is found",
            alternatives: "DNS:elsewhere",
            year: 2010,
            reason: .nameMismatch,
            says: ["is not for localhost"]
        ),
    ]

    @Test(arguments: refusals)
    private func `is why the server's certificate is refused`(_ refusal: Refusal) async throws {
        let own = try TestCertificates()
        let issuer = try await made.value.path(refusal.issuer ?? "")
        try await own.issue(
            "shown",
            refusal.role,
            by: refusal.issuer == nil ? nil : issuer,
            for: refusal.alternatives,
            from: refusal.year
        )
        let tls = try await tls()
        try await TLSServer.run(showing: own.path("shown")) { port in
            let failure = try await ServedHandshake.failure(with: port, tls, host: refusal.host)
            #expect(failure.step == .serverVerification)
            #expect(failure.reason == refusal.reason, "\(failure.message)")
            for text in refusal.says { #expect(failure.message.contains(text), "\(failure.message)") }
            #expect((failure.wantedName != nil) == (refusal.reason == .nameMismatch))
            // Nothing is verified where nothing is wanted.
            var careless = tls
            careless.verification = .none
            try await ServedHandshake.run(with: port, careless, host: refusal.host) { session, _ in
                #expect(session.watch.verification == nil)
            }
        }
    }

    @Test func `is which one of a chain is refused`() async throws {
        let own = try TestCertificates()
        try await own.issue("between", .authority, by: made.value.path("authority"), from: 2010)
        try await own.issue("shown", .server, by: "between", for: "DNS:localhost")
        let tls = try await tls()
        try await TLSServer.run(showing: own.path("shown"), ["-cert_chain", own.path("between.pem")]) { port in
            let failure = try await ServedHandshake.failure(with: port, tls)
            #expect(failure.reason == .expired)
            #expect(
                failure.message.contains("certificate 1 above the server's (CN=between) ended on"),
                "\(failure.message)"
            )
        }
    }

    @Test func `is names that fit on a line, whatever they hold and how many they are`() async throws {
        let own = try TestCertificates()
        let many = (0..<200).map { "DNS:host-\($0).elsewhere.example" }.joined(separator: ",")
        try await own.issue("many", .server, by: made.value.path("authority"), for: many)
        try await own.issue("odd", .server, by: made.value.path("authority"), for: #"DNS:a\nb\e[31m\, DNS:localhost"#)
        let tls = try await tls()
        for name in ["many", "odd"] {
            try await TLSServer.run(showing: own.path(name)) { port in
                let failure = try await ServedHandshake.failure(with: port, tls)
                #expect(failure.reason == .nameMismatch)
                #expect(failure.message.count < 2_000)
                #expect(!failure.message.unicodeScalars.contains { $0.value < 32 }, "\(failure.message)")
            }
        }
    }

    // MARK: The words

    @Test(arguments: [
        ("DNS:localhost", "DNS name localhost", true), ("IP Address:127.0.0.1", "address 127.0.0.1", false),
        ("email:a@example.org", "e-mail address a@example.org", false), ("URI:amqps://here", "URI amqps://here", false),
        ("DirName:CN = a", "DirName:CN = a", false), ("", "", false), ("DNS:", "DNS name ", true),
    ]) func `is told with the kind of each name`(printed: String, told: String, isDNS: Bool) {
        let name = CertificateFacts.Name(Substring(printed))
        #expect(name.description == told)
        #expect(name.isDNS == isDNS)
    }
}
