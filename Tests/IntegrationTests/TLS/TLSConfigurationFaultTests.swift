import RabbitMQ
import TestSupport
import Testing

/// What a caller can do wrong: nothing is sent then, and nothing asks on the terminal.
@Suite("A TLS configuration that is wrong", .needsBrokerScript)
struct TLSConfigurationFaultTests {
    typealias Identity = ConnectionConfiguration.TLS.ClientIdentity

    struct Fault: Sendable, CustomTestStringConvertible {
        var testDescription: String
        /// nil where it is found out before OpenSSL is asked.
        var reason: TLSFailure.Reason?
        var says: [String] = []
        var configure: @Sendable (inout ConnectionConfiguration.TLS) throws -> Void
    }

    private static func file(_ name: String) throws -> ConnectionConfiguration.TLS.PEM {
        .file(try TestBroker.certificate(name))
    }

    static let garbage = ConnectionConfiguration.TLS.PEM.text(
        "-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----\n"
    )

    static let trustFaults: [Fault] = [
        Fault(testDescription: "no trust roots", says: ["trust roots"]) { $0.trustRoots = [] },
        Fault(testDescription: "a missing file of authorities", reason: .unreadableFile, says: ["/nowhere", "No such"])
        {
            $0.trustRoots = [.file("/nowhere/ca.pem")]
        },
        Fault(testDescription: "a file of authorities that holds none", reason: .badCertificate, says: ["/etc/passwd"])
        {
            $0.trustRoots = [.file("/etc/passwd")]
        },
        Fault(testDescription: "a directory in place of a file", reason: .badCertificate, says: ["/etc"]) {
            $0.trustRoots = [.file("/etc")]
        },
        Fault(testDescription: "no bytes of authorities", reason: .badCertificate) { $0.trustRoots = [.bytes([])] },
        Fault(testDescription: "a broken certificate", reason: .badCertificate, says: ["broken"]) {
            $0.trustRoots = [.bytes(Array("-----BEGIN CERTIFICATE-----\nbm90\n-----END CERTIFICATE-----\n".utf8))]
        },
        Fault(testDescription: "a key in place of authorities", reason: .badCertificate) {
            $0.trustRoots = [.file(try TestBroker.certificate("ca.key"))]
        },
        Fault(testDescription: "a missing directory", reason: .unreadableFile, says: ["/nowhere"]) {
            $0.trustRoots = [.directory("/nowhere")]
        },
        Fault(testDescription: "a path with a NUL character", reason: .unreadableFile) {
            $0.trustRoots = [.file("/etc/ssl\0/x")]
        },
        Fault(testDescription: "versions the wrong way round", says: ["TLS 1.3"]) {
            $0.minimumVersion = .tls13
            $0.maximumVersion = .tls12
        },
        Fault(testDescription: "a server name for all names of a domain", says: ["server name"]) {
            $0.serverName = ".example"
        },
        Fault(testDescription: "a negative depth", says: ["depth -1"]) { $0.verificationDepth = -1 },
        Fault(testDescription: "an empty server name", says: ["server name"]) { $0.serverName = "" },
    ]

    static let identityFaults: [Fault] = [
        Fault(testDescription: "a missing certificate", reason: .unreadableFile, says: ["/nowhere/c.pem"]) {
            $0.identity = Identity(certificate: .file("/nowhere/c.pem"), key: try file("client.key"))
        },
        Fault(testDescription: "a missing key", reason: .unreadableFile, says: ["/nowhere/k.pem"]) {
            $0.identity = Identity(certificate: try file("client.pem"), key: .file("/nowhere/k.pem"))
        },
        Fault(testDescription: "a certificate that is none", reason: .badCertificate) {
            $0.identity = Identity(certificate: garbage, key: try file("client.key"))
        },
        Fault(testDescription: "a key that is none", reason: .badKey) {
            $0.identity = Identity(certificate: try file("client.pem"), key: .text("no key"))
        },
        Fault(testDescription: "no key beside the certificate", reason: .badKey) {
            $0.identity = Identity(certificate: try file("client.pem"))
        },
        Fault(testDescription: "a key of another kind", reason: .keyMismatch, says: ["client.pem", "stranger.key"]) {
            $0.identity = Identity(certificate: try file("client.pem"), key: try file("stranger.key"))
        },
        Fault(testDescription: "a key of the same kind, of another certificate", reason: .keyMismatch) {
            $0.identity = Identity(certificate: try file("stranger.pem"), key: try file("server.key"))
        },
        Fault(testDescription: "an encrypted key without passphrase", reason: .passphraseMissing) {
            $0.identity = Identity(certificate: try file("client.pem"), key: try file("client-encrypted.key"))
        },
        Fault(testDescription: "an encrypted key with the wrong passphrase", reason: .wrongPassphrase) {
            $0.identity = try encrypted("hare")
        },
        Fault(testDescription: "an encrypted key with an empty passphrase", reason: .wrongPassphrase) {
            $0.identity = try encrypted("")
        },
        Fault(testDescription: "an encrypted key with a very long passphrase", says: ["1024"]) {
            $0.identity = try encrypted(String(repeating: "rabbit", count: 1000))
        },
    ]

    private static func encrypted(_ passphrase: String) throws -> Identity {
        Identity(
            certificate: try file("client.pem"),
            key: try file("client-encrypted.key"),
            passphrase: passphrase
        )
    }

    @Test("gives the error that says so", arguments: trustFaults + identityFaults)
    func fault(_ fault: Fault) async throws {
        var tls = try TestBroker.tls
        try fault.configure(&tls)
        // Nobody is asked: there is nobody.
        let error = try await connectionError(ConnectionConfiguration(host: "127.0.0.1", port: 1, tls: tls))
        #expect(error.code == .invalidArgument, "\(error)")
        #expect((error.underlying as? TLSFailure)?.reason == fault.reason, "\(error)")
        for piece in fault.says { #expect(error.message.contains(piece), "\(error)") }
        for secret in ["hare", "rabbitrabbit"] { #expect(!"\(error)".contains(secret)) }
    }

    @Test("gives it before the next of several endpoints is tried")
    func endpoints() async throws {
        let tls = ConnectionConfiguration.TLS(trustRoots: [.file("/nowhere/ca.pem")])
        let endpoints = [
            ConnectionConfiguration.Endpoint(host: "127.0.0.1", port: 1),
            ConnectionConfiguration.Endpoint(host: "127.0.0.1", port: 2),
        ]
        let error = try await connectionError(ConnectionConfiguration(endpoints: endpoints, tls: tls))
        #expect((error.underlying as? TLSFailure)?.reason == .unreadableFile, "\(error)")
    }

    @Test("can't be combined with a socket that is connected already")
    func connectedSocket() async throws {
        let peer = try ScriptedPeer()
        var configuration = peer.configuration
        configuration.tls = try TestBroker.tls
        let error = try await connectionError(configuration)
        #expect(error.code == .invalidArgument, "\(error)")
    }
}
