import TestSupport
import Testing

@testable import RabbitMQ

/// Every public type that holds a secret, and every way to have a value shown.
@Suite("Secrets")
struct SecretTests {
    /// The password, the token, the passphrase and the key of everything below hold this word.
    private static let word = "hunter2"

    private static let identity = ConnectionConfiguration.TLS.ClientIdentity(
        certificate: .text("certificate"),
        key: .text("-----BEGIN PRIVATE KEY----- \(word)"),
        passphrase: word
    )

    private static var tls: ConnectionConfiguration.TLS { ConnectionConfiguration.TLS(identity: identity) }

    private static var configurations: [ConnectionConfiguration] {
        get throws {
            [
                ConnectionConfiguration(credentials: .plain(username: word, password: word), tls: tls),
                try ConnectionConfiguration(uri: "amqps://\(word):\(word)@h/v?certfile=c&keyfile=k&password=\(word)"),
                ConnectionConfiguration(credentials: .expiring { ExpiringSecret(word, validFor: nil) }, tls: tls),
            ]
        }
    }

    /// What is written, printed, dumped and found by reflection, however deep.
    private func shown(_ value: Any) -> String {
        var text = "\(value)\n" + String(describing: value) + "\n" + String(reflecting: value) + "\n"
        text += "\(Optional(value) as Any) \([value]) \(["key": value])\n"
        dump(value, to: &text)
        var seen: Set<ObjectIdentifier> = []
        reflect(value, depth: 0, &seen, &text)
        return text
    }

    private func reflect(_ value: Any, depth: Int, _ seen: inout Set<ObjectIdentifier>, _ text: inout String) {
        // Bytes are numbers when dumped: a key would hide from a search for text.
        if let bytes = value as? [UInt8] {
            text += String(decoding: bytes, as: UTF8.self) + "\n"
            return
        }
        if let string = value as? String { text += string + "\n" }
        let mirror = Mirror(reflecting: value)
        if mirror.displayStyle == .class, !seen.insert(ObjectIdentifier(value as AnyObject)).inserted { return }
        guard depth < 20 else { return }
        for child in mirror.children { reflect(child.value, depth: depth + 1, &seen, &text) }
        if let parent = mirror.superclassMirror {
            for child in parent.children { reflect(child.value, depth: depth + 1, &seen, &text) }
        }
    }

    @Test("are in nothing that shows a value")
    func values() throws {
        var values: [Any] = [
            ConnectionConfiguration.Credentials.plain(username: Self.word, password: Self.word),
            ConnectionConfiguration.Credentials.external,
            ConnectionConfiguration.Credentials.expiring { ExpiringSecret(Self.word, validFor: nil) },
            ExpiringSecret(Self.word, username: Self.word, validFor: .seconds(1)), Self.tls, Self.identity,
            Self.identity.key, ConnectionConfiguration.TLS.PEM.text(Self.word),
            ConnectionConfiguration.TLS.TrustRoots.bytes(Array(Self.word.utf8)),
            Secret(Self.word), SecretBytes(Array(Self.word.utf8)),
            try Login.plain(Secret(Self.word), Secret(Self.word)),
        ]
        values += try Self.configurations as [Any]
        for value in values {
            let text = shown(value)
            #expect(!text.contains(Self.word), "\(type(of: value)): \(text)")
            // It does look: something else of the value is there.
            #expect(!text.isEmpty)
        }
    }

    @Test("would be found if they were shown")
    func control() {
        struct Open { var inner: (String, [UInt8])? }
        #expect(shown(Open(inner: (Self.word, []))).contains(Self.word))
        #expect(shown(Open(inner: ("", Array(Self.word.utf8)))).contains(Self.word))
    }

    @Test("are in no handle, and in no line of the log", .timeLimit(.minutes(1)))
    func handles() async throws {
        let peer = try ScriptedPeer()
        let log = CapturedLog()
        let connection = try await peer.connect(configure: { configuration in
            configuration.credentials = .plain(username: Self.word, password: Self.word)
            configuration.logger = log.logger
        })
        peer.hangUp()
        // At rest, so that looking into it is no race.
        let reason = try await connection.closed
        try await eventually("the link is at rest") { log.entries(containing: "connection ended").count == 1 }
        for value in [connection, reason, reason.error] as [Any] {
            let text = shown(value)
            #expect(!text.contains(Self.word), "\(type(of: value)): \(text)")
        }
        #expect(log.entries(containing: Self.word).isEmpty, "\(log.entries)")
    }

    @Test("are in no error about a configuration that can't be", arguments: 0..<6)
    func errors(which: Int) throws {
        var configuration = ConnectionConfiguration(credentials: .plain(username: Self.word, password: Self.word))
        switch which {
        case 0: configuration.credentials = .plain(username: "a", password: "\(Self.word)\0")
        case 1: configuration.credentials = .plain(username: "\(Self.word)\0", password: "")
        case 2: configuration.port = 0
        case 3: configuration.virtualHost = String(repeating: "v", count: 256)
        case 4:
            configuration.tls = Self.tls
            configuration.tls?.identity = .init(
                certificate: .text(Self.word),
                passphrase: String(repeating: Self.word, count: 200)
            )
        default:
            configuration.tls = Self.tls
            configuration.tls?.trustRoots = []
        }
        let error = #expect(throws: AMQPError.self) { try configuration.validate() }
        #expect(error?.code == .invalidArgument || error?.code == .invalidName, "\(String(describing: error))")
        #expect(!shown(error as Any).contains(Self.word))
    }
}
