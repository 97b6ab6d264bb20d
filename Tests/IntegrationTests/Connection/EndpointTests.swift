import RabbitMQ
import TestSupport
import Testing

@Suite("Several endpoints", .needsPlainPort)
struct EndpointTests {
    @Test("are tried until one lets the client in")
    func second() async throws {
        let closes = try RudeListener(.closes)
        let refuses = try RudeListener(.refuses)
        defer { for listener in [closes, refuses] { listener.stop() } }
        let log = CapturedLog()
        var configuration = try TestBroker.plainConfiguration
        configuration.endpoints = [
            ConnectionConfiguration.Endpoint(host: "127.0.0.1", port: refuses.port),
            ConnectionConfiguration.Endpoint(host: "127.0.0.1", port: closes.port),
            ConnectionConfiguration.Endpoint(host: "no-such-host.invalid"),
            ConnectionConfiguration.Endpoint(host: try TestBroker.host, port: try TestBroker.plainPort),
        ]
        configuration.logger = log.logger
        configuration.connectTimeout = .seconds(8)
        try await within(.seconds(20), "the connection") { [configuration] in
            try await Connection.withConnection(configuration) { _ in }
        }
        #expect(log.entries(containing: "an endpoint could not be connected to").count == 3, "\(log.entries)")
    }

    @Test("have each its own deadline, and all their failures are in one error")
    func allFail() async throws {
        let silent = try RudeListener(.silent)
        let refuses = try RudeListener(.refuses)
        defer { for listener in [silent, refuses] { listener.stop() } }
        let closed = refuses.port
        var configuration = ConnectionConfiguration(endpoints: [
            ConnectionConfiguration.Endpoint(host: "127.0.0.1", port: closed),
            ConnectionConfiguration.Endpoint(host: "127.0.0.1", port: silent.port),
            ConnectionConfiguration.Endpoint(host: "127.0.0.1", port: silent.port),
            ConnectionConfiguration.Endpoint(host: "no-such-host.invalid", port: 7),
        ])
        configuration.connectTimeout = .milliseconds(400)
        let start = ContinuousClock.now
        let error = try await within(.seconds(30), "the error of connecting") { [configuration] in
            await #expect(throws: AMQPError.self) { _ = try await Connection.connect(configuration) }
        }
        #expect(ContinuousClock.now - start >= .milliseconds(800))
        #expect(error?.code == .connectionFailed)
        let failures = try #require(error?.underlying as? EndpointFailures).failures
        #expect(failures.map(\.endpoint) == configuration.endpoints)
        let codes: [AMQPError.Code] = [.connectionFailed, .timedOut, .timedOut]
        #expect(failures.prefix(3).map(\.error.code) == codes)
        for piece in ["127.0.0.1:\(closed)", "refused", "127.0.0.1:\(silent.port)", "no-such-host.invalid:7"] {
            #expect(error?.message.contains(piece) == true, "\(error?.message ?? "")")
        }
        #expect(error?.isRetryable == true)
    }

    @Test("that all fail alike give that code")
    func alike() async throws {
        let refuses = try RudeListener(.refuses)
        defer { refuses.stop() }
        let endpoints = [ConnectionConfiguration.Endpoint](
            repeating: ConnectionConfiguration.Endpoint(host: "127.0.0.1", port: refuses.port),
            count: 2
        )
        #expect(try await connectionError(ConnectionConfiguration(endpoints: endpoints)).code == .connectionFailed)
    }

    @Test("are not tried on after a broker refused the credentials or the virtual host")
    func refused() async throws {
        try await RudeListener.run(.closes) { listener in
            let broker = ConnectionConfiguration.Endpoint(host: try TestBroker.host, port: try TestBroker.plainPort)
            let other = ConnectionConfiguration.Endpoint(host: "127.0.0.1", port: listener.port)
            var configuration = try TestBroker.plainConfiguration
            configuration.endpoints = [broker, other]
            let credentials = configuration.credentials
            configuration.credentials = .plain(username: try TestBroker.username, password: "wrong")
            #expect(try await connectionError(configuration).code == .authenticationFailed)
            configuration.credentials = credentials
            configuration.virtualHost = "nowhere"
            #expect(try await connectionError(configuration).code == .notAllowed)
            #expect(!listener.isSpokenTo)
        }
    }

    static let ailments: [(UInt16, String)] = [
        (320, "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'"),
        (506, "RESOURCE_ERROR"), (541, "INTERNAL_ERROR - access to vhost '/' refused: vhost '/' is down"),
        (530, "NOT_ALLOWED - connection refused: node connection limit (10) is reached"),
    ]

    @Test("are tried on after one that lets nobody in at present", arguments: ailments)
    func ailing(code: UInt16, text: String) async throws {
        let start = PeerFrame.method(.connectionStart, channel: 0) {
            $0.raw([0, 9])
            $0.block(ScriptedPeer.authenticationFailureClose)
            $0.longString("PLAIN")
            $0.longString("en_US")
        }
        let close = PeerFrame.method(.connectionClose, channel: 0) {
            $0.short(code)
            $0.shortString(text)
            $0.raw([0, 0, 0, 0])
        }
        try await RudeListener.run(.answers([start.bytes, close.bytes])) { ailing in
            var configuration = try TestBroker.plainConfiguration
            configuration.endpoints = [
                ConnectionConfiguration.Endpoint(host: "127.0.0.1", port: ailing.port),
                ConnectionConfiguration.Endpoint(host: try TestBroker.host, port: try TestBroker.plainPort),
            ]
            configuration.connectTimeout = .seconds(8)
            try await Connection.withConnection(configuration) { _ in }
            #expect(ailing.isSpokenTo)
            configuration.endpoints.removeLast()
            #expect(try await connectionError(configuration).replyCode?.rawValue == code)
        }
    }

    @Test("are tried in another order each time, if told so")
    func shuffled() async throws {
        var configuration = ConnectionConfiguration(
            endpoints: (1...8).map { ConnectionConfiguration.Endpoint(host: "127.0.0.1", port: $0) }
        )
        configuration.endpointOrder = .shuffled
        configuration.logger = CapturedLog().logger
        var orders: Set<[ConnectionConfiguration.Endpoint]> = []
        for _ in 0..<10 {
            let error = try await connectionError(configuration)
            let tried = try #require(error.underlying as? EndpointFailures).failures.map(\.endpoint)
            #expect(Set(tried) == Set(configuration.endpoints))
            orders.insert(tried)
        }
        #expect(orders.count > 1)
    }

    @Test(
        "may be IPv4 and IPv6, by address and by name",
        .needsBrokerScript,
        arguments: ["127.0.0.1", "::1", "localhost"]
    )
    func families(host: String) async throws {
        var configuration = ConnectionConfiguration(host: host, port: try TestBroker.plainPort)
        configuration.connectTimeout = .seconds(8)
        try await Connection.withConnection(configuration) { _ in }
        let brackets = host.contains(":") ? "[\(host)]" : host
        try await Connection.withConnection(
            ConnectionConfiguration(uri: "amqp://guest:guest@\(brackets):\(try TestBroker.plainPort)/%2f")
        ) { _ in }
    }

    @Test("may be given as the URI that scripts/broker.sh prints", .needsBrokerScript)
    func printedURI() async throws {
        let configuration = try ConnectionConfiguration(uri: try TestBroker.variable("RABBITMQ_URI"))
        #expect(configuration.virtualHost == "/")
        try await Connection.withConnection(configuration) { _ in }
    }

    @Test("with one that can't be are refused before any is tried")
    func invalid() async throws {
        let good = ConnectionConfiguration.Endpoint(host: try TestBroker.host, port: try TestBroker.plainPort)
        for bad in [
            ConnectionConfiguration.Endpoint(host: ""), ConnectionConfiguration.Endpoint(host: "a\0b"),
            ConnectionConfiguration.Endpoint(host: "a", port: 0),
            ConnectionConfiguration.Endpoint(host: "a", port: 65536),
        ] {
            let error = try await connectionError(ConnectionConfiguration(endpoints: [good, bad]))
            #expect(error.code == .invalidArgument, "\(error)")
        }
        #expect(try await connectionError(ConnectionConfiguration(endpoints: [])).code == .invalidArgument)
    }

    @Test("have the port that is usual with TLS and without")
    func usualPorts() {
        var configuration = ConnectionConfiguration(endpoints: [
            ConnectionConfiguration.Endpoint(host: "a"), ConnectionConfiguration.Endpoint(host: "b", port: 1),
        ])
        #expect(configuration.port == 5672)
        configuration.tls = ConnectionConfiguration.TLS()
        #expect(configuration.port == 5671)
        configuration.port = 9
        configuration.host = "::1"
        #expect(configuration.endpoints.map(\.description) == ["[::1]:9", "b:1"])
    }
}
