import Foundation
import RabbitMQ
import TestSupport
import Testing

@Suite("TLS to the broker", .needsBrokerScript)
struct TLSTests {
    private static func configuration(_ tls: ConnectionConfiguration.TLS, host: String = "127.0.0.1") throws
        -> ConnectionConfiguration
    {
        var configuration = ConnectionConfiguration(host: host, port: try TestBroker.tlsPort, tls: tls)
        configuration.connectTimeout = .seconds(10)
        return configuration
    }

    /// Connects, and sends a message round.
    private func roundTrip(_ configuration: ConnectionConfiguration) async throws {
        try await within(.seconds(20), "a message to come back") {
            try await Connection.withConnection(configuration) { connection in
                let channel = try await connection.openChannel()
                let queue = try await channel.declareQueue(exclusive: true)
                try await channel.declareExchange("").publish(Message("hello"), routingKey: queue.name)
                for try await message in try await queue.consume(.noAck) {
                    #expect(try message.message.text() == "hello")
                    break
                }
            }
        }
    }

    struct Way: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var host = "127.0.0.1"
        var configure: @Sendable (inout ConnectionConfiguration.TLS) throws -> Void = { _ in }
    }

    private static func pem(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: try TestBroker.certificate(name))))
    }

    static let ways: [Way] = [
        Way(testDescription: "by an IPv4 address in the certificate"),
        Way(testDescription: "by an IPv6 address in the certificate", host: "::1"),
        Way(testDescription: "by a name in the certificate", host: "localhost"),
        Way(testDescription: "by a name with a final dot") { $0.serverName = "localhost." },
        Way(testDescription: "by another name than the one that is dialled") { $0.serverName = "localhost" },
        Way(testDescription: "by an address other than the one that is dialled", host: "localhost") {
            $0.serverName = "::1"
        },
        Way(testDescription: "with the authority's bytes") { $0.trustRoots = [.bytes(try pem("ca.pem"))] },
        Way(testDescription: "with the server's own certificate as the only trusted one") {
            $0.trustRoots = [.bytes(try pem("server.pem"))]
        },
        Way(testDescription: "with several trust roots") {
            $0.trustRoots = [
                .system, .bytes(try pem("untrusted-ca.pem") + pem("stranger.pem")),
                .file(try TestBroker.certificate("ca.pem")),
            ]
        },
        Way(testDescription: "at most TLS 1.2") { $0.maximumVersion = .tls12 },
        Way(testDescription: "at least TLS 1.3") { $0.minimumVersion = .tls13 },
        Way(testDescription: "without looking at the name") {
            $0.verification = .withoutName
            $0.serverName = "elsewhere.example"
        },
        Way(testDescription: "without verification") {
            $0.verification = .none
            $0.trustRoots = []
        },
        Way(testDescription: "with a client certificate from files") {
            $0.identity = try TestBroker.identity("client")
        },
        Way(testDescription: "with a client certificate from bytes") {
            $0.identity = .init(certificate: .bytes(try pem("client.pem")), key: .bytes(try pem("client.key")))
        },
        Way(testDescription: "with certificate and key in one") {
            $0.identity = .init(certificate: .bytes(try pem("client.key") + pem("client.pem")))
        },
        Way(testDescription: "with an encrypted key") {
            $0.identity = .init(
                certificate: .file(try TestBroker.certificate("client.pem")),
                key: .file(try TestBroker.certificate("client-encrypted.key")),
                passphrase: "rabbit"
            )
        },
        Way(testDescription: "with an encrypted key from bytes, its certificate followed by its authority's") {
            $0.identity = .init(
                certificate: .bytes(try pem("client.pem") + pem("ca.pem")),
                key: .bytes(try pem("client-encrypted.key")),
                passphrase: "rabbit"
            )
        },
        Way(testDescription: "with a passphrase for a key that needs none") {
            $0.identity = .init(
                certificate: .file(try TestBroker.certificate("stranger.pem")),
                key: .file(try TestBroker.certificate("stranger.key")),
                passphrase: "rabbit"
            )
        },
    ]

    @Test("works", arguments: ways)
    func way(_ way: Way) async throws {
        var tls = try TestBroker.tls
        try way.configure(&tls)
        try await roundTrip(Self.configuration(tls, host: way.host))
    }

    @Test("works with a directory of authorities")
    func directory() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let certificate = URL(fileURLWithPath: try TestBroker.certificate("ca.pem"))
        try FileManager.default.copyItem(at: certificate, to: directory.appendingPathComponent("ca.pem"))
        _ = try await Subprocess.run("/usr/bin/env", ["openssl", "rehash", directory.path])
        try await roundTrip(Self.configuration(ConnectionConfiguration.TLS(trustRoots: [.directory(directory.path)])))
    }

    @Test("works with the system's authorities, which the environment may replace")
    func system() async throws {
        // Of another process: this one's environment is everybody's.
        let tool = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appendingPathComponent("rmq")
        let address = "amqps://guest:guest@127.0.0.1:\(try TestBroker.tlsPort)"
        let demo = [tool.path, "demo", "--messages", "10", "--uri", address]
        let authority = "SSL_CERT_FILE=\(try TestBroker.variable("RABBITMQ_TEST_CA"))"
        let output = try await Subprocess.run("/usr/bin/env", [authority] + demo)
        #expect(output.contains("missing 0"))
        let error = await #expect(throws: Subprocess.Failed.self) {
            _ = try await Subprocess.run("/usr/bin/env", ["-u", "SSL_CERT_FILE", "-u", "SSL_CERT_DIR"] + demo)
        }
        #expect(error?.description.contains("untrustedIssuer") == true, "\(error?.description ?? "")")
    }

    @Test(
        "tells the server the name, and never an address",
        arguments: [("localhost", "localhost"), ("127.0.0.1", nil)]
    )
    func serverName(name: String, indicated: String?) async throws {
        // The server has this certificate for those who name localhost, and another one for everybody else.
        let other = [
            "-servername", "localhost", "-cert2", try TestBroker.certificate("wrong-name.pem"), "-key2",
            try TestBroker.certificate("wrong-name.key"),
        ]
        try await TLSServer.run(other) { port in
            var tls = try TestBroker.tls
            tls.serverName = name
            var configuration = ConnectionConfiguration(host: "127.0.0.1", port: port, tls: tls)
            configuration.connectTimeout = .seconds(1)
            let error = try await connectionError(configuration)
            // s_server speaks no AMQP: past TLS, it stays silent.
            #expect(error.code == (indicated == nil ? .timedOut : .tlsFailed), "\(error)")
            let offered = (error.underlying as? TLSFailure)?.offeredNames
            #expect(offered == (indicated == nil ? nil : ["elsewhere.example"]), "\(error)")
        }
    }

    @Test("carries a large body both ways, and many small messages, unharmed")
    func large() async throws {
        let configuration = try Self.configuration(try TestBroker.tls)
        try await within(.seconds(60), "the bodies to come back") {
            try await Connection.withConnection(configuration) { connection in
                let channel = try await connection.openChannel()
                let queue = try await channel.declareQueue(exclusive: true)
                let exchange = try await channel.declareExchange("")
                let large = TestBytes.pattern(try await min(TestBroker.hugeBody, 32 << 20))
                let bodies = [large] + (0..<2000).map { [UInt8](repeating: UInt8($0 & 0xFF), count: $0) }
                async let sent: Void = {
                    for body in bodies { try await exchange.publish(Message(body: body), routingKey: queue.name) }
                }()
                var next = 0
                for try await message in try await queue.consume(.noAck) {
                    let isSame = TestBytes.areEqual(message.body, bodies[next])
                    #expect(isSame)
                    next += 1
                    if next == bodies.count { break }
                }
                try await sent
            }
        }
    }

    @Test("closes without a warning")
    func closing() async throws {
        let log = CapturedLog()
        var configuration = try Self.configuration(try TestBroker.tls)
        configuration.logger = log.logger
        let connection = try await Connection.connect(configuration)
        await connection.close()
        #expect(connection.closeReason?.kind == .closedByApplication)
        #expect(log.entries(containing: "warning").isEmpty, "\(log.entries)")
    }
}
