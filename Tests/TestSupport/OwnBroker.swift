internal import Foundation
public import RabbitMQ
public import Testing

/// A broker that `scripts/broker.sh` runs for one suite alone, which may stop it and change what it has.
public struct OwnBroker: Sendable {
    /// Who has a broker for itself, by the letter of its node.
    ///
    /// Nodes with the same letter share a folder and ports, and each suite would end the other's: so they stand here,
    /// where the compiler takes no letter twice. The node a is the broker that all tests share.
    public enum Node: String, Sendable {
        /// What `rmq` asks the management API.
        case management = "e"
        /// Certificates that are replaced.
        case certificates = "f"
        /// `rmq doctor` at a broker that has no memory left.
        case doctor = "g"
        /// Recovery of what the broker ends.
        case brokerEnds = "h"
        /// Tokens of OAuth 2, which that broker takes alone.
        case oauth = "i"
    }

    /// The nodes of the cluster, by their letters. They have a folder and ports of their own.
    public enum ClusterNode: String, Sendable, CaseIterable {
        case a, b, c
    }

    /// The letter of its node.
    public let letter: String
    private let script: String

    /// The one that the suite at hand has: see ``Testing/Trait/ownBroker(_:plugins:settings:)``.
    @TaskLocal public static var current: OwnBroker?

    public init(_ node: Node) throws {
        letter = node.rawValue
        script = try TestBroker.variable("RABBITMQ_TEST_BROKER")
    }

    /// A node of the cluster that `scripts/test.sh --cluster` starts.
    public init(inCluster node: ClusterNode) throws {
        letter = node.rawValue
        script = try TestBroker.variable("RABBITMQ_TEST_CLUSTER")
    }

    /// Starts it without anything that it stored before, runs `body`, and stops it.
    public func run(plugins: [String] = [], settings: String = "", _ body: () async throws -> Void) async throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try Data(settings.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        try await start(plugins.flatMap { ["--plugin", $0] } + ["--config", file.path, "--fresh"])
        do {
            try await body()
        } catch {
            try? await stop()
            throw error
        }
        try await stop()
    }

    /// Starts it.
    public func start(_ options: [String] = []) async throws {
        // The node must inherit neither the pipes nor the descriptor by whose end Foundation sees a process end.
        let alone = #"for fd in /proc/$$/fd/*; do n=${fd##*/}; if ((n > 2)); then eval "exec $n>&-"; fi; done; "#
        let quietly = ["bash", "-c", alone + #""$0" "$@" </dev/null >/dev/null 2>&1"#, script]
        _ = try await Subprocess.run("/usr/bin/env", quietly + ["start", "--node", letter] + options)
    }

    /// Stops it in good order.
    public func stop() async throws { try await command("stop", "--node", letter) }

    /// Ends it as a machine does whose power fails.
    public func kill() async throws { try await command("kill", "--node", letter) }

    /// Runs `rabbitmqctl` for it.
    @discardableResult
    public func rabbitmqctl(_ arguments: String...) async throws -> String {
        try await Subprocess.run(script, ["ctl", "--node", letter] + arguments)
    }

    @discardableResult
    private func command(_ arguments: String...) async throws -> String { try await Subprocess.run(script, arguments) }

    /// Where it takes TLS.
    public var tlsPort: Int {
        get async throws {
            let variables = try await command("env", "--node", letter)
            guard let match = variables.firstMatch(of: #/RABBITMQ_TEST_TLS_PORT=(\d+)/#), let port = Int(match.output.1)
            else { throw Subprocess.Failed(description: "\(script) env names no port with TLS") }
            return port
        }
    }

    /// Where it is, with short timeouts.
    public var configuration: ConnectionConfiguration {
        get async throws {
            let variables = try await command("env", "--node", letter)
            guard let match = variables.firstMatch(of: #/RABBITMQ_TEST_PORT=(\d+)/#), let port = Int(match.output.1)
            else { throw Subprocess.Failed(description: "\(script) env names no port") }
            var configuration = ConnectionConfiguration(host: "127.0.0.1", port: port)
            configuration.connectTimeout = .seconds(10)
            configuration.callTimeout = .seconds(30)
            return configuration
        }
    }
}

/// Runs a suite with a broker of its own.
public struct OwnBrokerTrait: SuiteTrait, TestScoping {
    let node: OwnBroker.Node
    let plugins: [String]
    let settings: String

    public func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        let broker = try OwnBroker(node)
        try await broker.run(plugins: plugins, settings: settings) {
            try await OwnBroker.$current.withValue(broker) { try await function() }
        }
    }
}

extension Trait where Self == OwnBrokerTrait {
    /// Has the tests of a suite find a broker of their own in ``OwnBroker/current``.
    ///
    /// - Parameters:
    ///   - node: Its node, which no other suite takes.
    ///   - plugins: What to enable.
    ///   - settings: Lines of `rabbitmq.conf`.
    public static func ownBroker(_ node: OwnBroker.Node, plugins: [String] = [], settings: String = "") -> Self {
        OwnBrokerTrait(node: node, plugins: plugins, settings: settings)
    }
}
