internal import Foundation
public import RabbitMQ

/// The broker that `scripts/test.sh` starts or is pointed at, as its environment variables describe it.
public enum TestBroker {
    /// A variable that `scripts/broker.sh env` prints.
    public static func variable(_ name: String) throws -> String {
        guard let value = ProcessInfo.processInfo.environment[name], !value.isEmpty else {
            throw MissingBroker(variable: name)
        }
        return value
    }

    /// No broker was started for the tests.
    public struct MissingBroker: Error, CustomStringConvertible {
        let variable: String
        /// What to do about it.
        public var description: String {
            "\(variable) is not set: run scripts/test.sh, or eval \"$(scripts/broker.sh env)\" first"
        }
    }

    /// Where the broker is, and who connects, as `scripts/broker.sh` prints it or `scripts/test.sh --uri` is told.
    public static var uri: String { get throws { try variable("RABBITMQ_URI") } }

    /// The host; an address of the loopback, unless the tests are pointed elsewhere.
    public static var host: String { get throws { try ConnectionConfiguration(uri: uri).host } }

    /// The user who connects.
    public static var username: String { get throws { URLComponents(string: try uri)?.user ?? "guest" } }

    /// The password of ``username``.
    public static var password: String { get throws { URLComponents(string: try uri)?.password ?? "guest" } }

    /// Where the broker takes what ``configuration`` connects with.
    public static var port: Int { get throws { try configuration.port } }

    /// Where the broker takes connections without TLS.
    public static var plainPort: Int { get throws { try plainConfiguration.port } }

    /// Where the broker takes TLS.
    public static var tlsPort: Int { get throws { Int(try variable("RABBITMQ_TEST_TLS_PORT")) ?? 0 } }

    /// A file of the broker's certificates, such as `client.pem`.
    public static func certificate(_ name: String) throws -> String { try variable("RABBITMQ_TEST_CERTS") + "/" + name }

    /// Whether the tests are run over TLS: `scripts/test.sh --tls` sets `RABBITMQ_TEST_TLS` to 1.
    public static var usesTLS: Bool { ProcessInfo.processInfo.environment["RABBITMQ_TEST_TLS"] == "1" }

    /// TLS with the broker's own authority.
    public static var tls: ConnectionConfiguration.TLS {
        get throws { ConnectionConfiguration.TLS(trustRoots: [.file(try variable("RABBITMQ_TEST_CA"))]) }
    }

    /// One of the broker's client certificates, such as `client`.
    public static func identity(_ name: String) throws -> ConnectionConfiguration.TLS.ClientIdentity {
        ConnectionConfiguration.TLS.ClientIdentity(
            certificate: .file(try certificate("\(name).pem")),
            key: .file(try certificate("\(name).key"))
        )
    }

    /// Where the broker is, with short timeouts, so that a test that hangs fails soon. Over TLS if `RABBITMQ_TEST_TLS` is 1.
    public static var configuration: ConnectionConfiguration {
        get throws {
            var configuration = try asGiven
            if usesTLS {
                configuration.tls = try tls
                configuration.port = try tlsPort
            }
            return configuration
        }
    }

    /// Like ``configuration``, but without TLS.
    public static var plainConfiguration: ConnectionConfiguration {
        get throws {
            let configuration = try asGiven
            guard configuration.tls == nil else { throw NoPlainPort() }
            return configuration
        }
    }

    private static var asGiven: ConnectionConfiguration {
        get throws {
            var configuration = try ConnectionConfiguration(uri: uri)
            configuration.connectTimeout = .seconds(20)
            configuration.callTimeout = .seconds(20)
            // As the reference behaves; tests of recovery ask for it.
            configuration.recovery = .none
            configuration.connectionName = "rabbitmq-swift tests"
            return configuration
        }
    }

    /// The tests were pointed at a port with TLS.
    public struct NoPlainPort: Error {}

    /// A name for a broker object that no other test has.
    public static func uniqueName(_ prefix: String) -> String { "test.\(prefix).\(UUID().uuidString)" }

    /// Connects, lends the connection to `body`, and closes it.
    public static func withConnection<R>(_ body: (Connection) async throws -> R) async throws -> R {
        try await Connection.withConnection(try configuration, body)
    }

    /// Connects, opens a channel, lends both to `body`, and closes them.
    public static func withChannel<R>(_ body: (Connection, Channel) async throws -> R) async throws -> R {
        try await withConnection { connection in
            try await connection.withChannel { try await body(connection, $0) }
        }
    }
}

/// Waits until `condition` holds, looking every few milliseconds.
///
/// - Throws: ``ConditionTimeout`` if it doesn't within `limit`.
public func eventually(
    _ what: String,
    within limit: Duration = .seconds(30),
    _ condition: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + limit
    while try await !condition() {
        guard ContinuousClock.now < end else { throw ConditionTimeout(what: what) }
        try await Task.sleep(for: .milliseconds(5))
    }
}

/// Something did not happen in time.
public struct ConditionTimeout: Error, CustomStringConvertible {
    let what: String
    /// What did not happen.
    public var description: String { "never came true: \(what)" }
}
