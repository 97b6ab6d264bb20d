import RabbitMQ
import Synchronization
import TestSupport
import Testing

@Suite("Logging in", .needsBrokerScript)
struct AuthenticationTests {
    private static func encrypted(_ identity: String? = nil) throws -> ConnectionConfiguration {
        var tls = try TestBroker.tls
        tls.identity = try identity.map(TestBroker.identity)
        return ConnectionConfiguration(host: "127.0.0.1", port: try TestBroker.tlsPort, tls: tls)
    }

    private static func plain(_ username: String, _ password: String) throws -> ConnectionConfiguration {
        var configuration = try TestBroker.plainConfiguration
        configuration.credentials = .plain(username: username, password: password)
        return configuration
    }

    @Test("as the one whom the client's certificate names")
    func external() async throws {
        var configuration = try Self.encrypted("client")
        configuration.credentials = .external
        let name = TestBroker.uniqueName("external")
        configuration.connectionName = name
        try await Connection.withConnection(configuration) { _ in
            let listed = try await Subprocess.rabbitmqctl(
                "list_connections",
                "--silent",
                "client_properties",
                "user",
                "auth_mechanism",
                "ssl"
            )
            let line = try #require(listed.split(separator: "\n").first { $0.contains(name) })
            #expect(line.hasSuffix("guest\tEXTERNAL\ttrue"), "\(line)")
        }
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var code: AMQPError.Code
        var reply: ReplyCode?
        var says: String
        var configuration: @Sendable () throws -> ConnectionConfiguration
    }

    static let refusals: [Refusal] = [
        Refusal(
            testDescription: "a wrong password",
            code: .authenticationFailed,
            reply: .accessRefused,
            says: "ACCESS_REFUSED"
        ) { try plain("guest", "hunter2") },
        Refusal(
            testDescription: "an unknown user",
            code: .authenticationFailed,
            reply: .accessRefused,
            says: "ACCESS_REFUSED"
        ) { try plain("nobody", "hunter2") },
        Refusal(
            testDescription: "a wrong password over TLS",
            code: .authenticationFailed,
            reply: .accessRefused,
            says: "ACCESS_REFUSED"
        ) {
            var configuration = try encrypted()
            configuration.credentials = .plain(username: "guest", password: "hunter2")
            return configuration
        },
        Refusal(
            testDescription: "a name with a NUL character",
            code: .invalidArgument,
            says: "NUL"
        ) { try plain("guest\0x", "guest") },
        Refusal(
            testDescription: "a password with a NUL character",
            code: .invalidArgument,
            says: "NUL"
        ) { try plain("guest", "guest\0hunter2") },
        Refusal(
            testDescription: "an unknown virtual host",
            code: .notAllowed,
            reply: .notAllowed,
            says: "vhost nowhere not found"
        ) {
            var configuration = try plain("guest", "guest")
            configuration.virtualHost = "nowhere"
            return configuration
        },
        Refusal(
            testDescription: "no certificate, where it is to say who connects",
            code: .authenticationFailed,
            reply: .accessRefused,
            says: "ACCESS_REFUSED"
        ) {
            var configuration = try encrypted()
            configuration.credentials = .external
            return configuration
        },
        Refusal(
            testDescription: "a certificate without TLS",
            code: .authenticationFailed,
            says: "not EXTERNAL"
        ) {
            var configuration = try plain("guest", "guest")
            configuration.credentials = .external
            return configuration
        },
        Refusal(
            testDescription: "the certificate of a stranger",
            code: .authenticationFailed,
            reply: .accessRefused,
            says: "ACCESS_REFUSED"
        ) {
            var configuration = try encrypted("stranger")
            configuration.credentials = .external
            return configuration
        },
        Refusal(
            testDescription: "a certificate that is not trusted",
            code: .tlsFailed,
            says: "does not accept the client's certificate"
        ) {
            var configuration = try encrypted("untrusted-client")
            configuration.credentials = .external
            return configuration
        },
        Refusal(
            testDescription: "a provider that has nothing",
            code: .authenticationFailed,
            says: "provider"
        ) {
            var configuration = try plain("guest", "guest")
            configuration.credentials = .expiring { throw PeerError("the vault is shut") }
            return configuration
        },
        Refusal(
            testDescription: "a provider that hangs",
            code: .timedOut,
            says: "provider"
        ) {
            var configuration = try plain("guest", "guest")
            configuration.connectTimeout = .milliseconds(300)
            configuration.credentials = .expiring {
                try await Task.sleep(for: .seconds(1000))
                return ExpiringSecret("late", validFor: nil)
            }
            return configuration
        },
        Refusal(
            testDescription: "a provider's secret that is wrong",
            code: .authenticationFailed,
            reply: .accessRefused,
            says: "ACCESS_REFUSED"
        ) {
            var configuration = try plain("guest", "guest")
            configuration.credentials = .expiring {
                ExpiringSecret("hunter2", username: "guest", validFor: .seconds(9))
            }
            return configuration
        },
    ]

    @Test("is refused with the broker's reason, and without the secret, in error and log", arguments: refusals)
    func refused(_ refusal: Refusal) async throws {
        let log = CapturedLog()
        var configuration = try refusal.configuration()
        configuration.logger = log.logger
        let error = try await connectionError(configuration)
        #expect(error.code == refusal.code, "\(error)")
        #expect(error.replyCode == refusal.reply, "\(error)")
        #expect(error.message.contains(refusal.says), "\(error)")
        for text in log.entries.map(\.description) + ["\(error)", String(reflecting: error)] {
            #expect(!text.contains("hunter2"), "\(text)")
        }
    }

    @Test("without permission for the virtual host is refused with the broker's reason")
    func noPermission() async throws {
        let user = TestBroker.uniqueName("user")
        try await Subprocess.rabbitmqctl("add_user", user, "secret")
        let error = try await connectionError(Self.plain(user, "secret"))
        try await Subprocess.rabbitmqctl("delete_user", user)
        #expect(error.code == .notAllowed, "\(error)")
        #expect(error.replyCode == .notAllowed)
        #expect(error.replyText?.contains("refused for user '\(user)'") == true, "\(error)")
    }

    @Test("asks the provider anew for each connection, and tells the broker a new secret before the old one ends")
    func renewal() async throws {
        let calls = Mutex(0)
        let log = CapturedLog()
        var configuration = try Self.plain("guest", "guest")
        configuration.logger = log.logger
        // RabbitMQ's own users may renew their password, too: it is checked again.
        configuration.credentials = .expiring {
            calls.withLock { $0 += 1 }
            return ExpiringSecret("guest", username: "guest", validFor: .milliseconds(500))
        }
        try await within(.seconds(20), "renewals") { [configuration] in
            try await Connection.withConnection(configuration) { connection in
                #expect(calls.withLock { $0 } == 1)
                try await eventually("three renewals are answered") {
                    log.entries(containing: "secret was renewed").count >= 3
                }
                #expect(connection.closeReason == nil)
            }
            let before = calls.withLock { $0 }
            try await Connection.withConnection(configuration) { _ in
                #expect(calls.withLock { $0 } > before)
            }
        }
    }
}
