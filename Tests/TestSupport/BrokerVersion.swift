internal import Foundation
public import RabbitMQ
internal import Synchronization
public import Testing

/// The version of RabbitMQ that a broker tells in its properties, for tests of what differs from one to the next.
///
/// ```swift
/// let smallest: UInt32 = try await BrokerVersion.current < .v4_1 ? 4096 : 8192
/// ```
public struct BrokerVersion: Comparable, Sendable, CustomStringConvertible {
    /// The first with filters of streams.
    public static let v3_13 = BrokerVersion(major: 3, minor: 13)

    /// The first version 4.
    public static let v4_0 = BrokerVersion(major: 4, minor: 0)

    /// The first that refuses a `frame_max` below 8192.
    public static let v4_1 = BrokerVersion(major: 4, minor: 1)

    /// The first that denies limits for a whole channel, and that times consumers out by queue.
    public static let v4_3 = BrokerVersion(major: 4, minor: 3)

    public let major: Int
    public let minor: Int

    private init(major: Int, minor: Int) {
        self.major = major
        self.minor = minor
    }

    /// Reads the version of the broker that a connection goes to.
    ///
    /// - Throws: ``Unknown`` if it tells none, or one that begins with no two numbers.
    public init(of connection: Connection) throws {
        let text = connection.serverProperties["version"]?.stringValue ?? ""
        let parts = text.split(separator: ".").prefix(2).compactMap { Int($0) }
        guard parts.count == 2 else { throw Unknown(text: text) }
        self.init(major: parts[0], minor: parts[1])
    }

    /// A broker's version that can't be read.
    public struct Unknown: Error {
        let text: String
    }

    private static let known = Mutex<BrokerVersion?>(nil)

    /// The version of the test broker, asked for once.
    public static var current: BrokerVersion {
        get async throws {
            if let version = known.withLock({ $0 }) { return version }
            let version = try await TestBroker.withConnection { try BrokerVersion(of: $0) }
            known.withLock { $0 = version }
            return version
        }
    }

    public var description: String { "\(major).\(minor)" }

    public static func < (left: BrokerVersion, right: BrokerVersion) -> Bool {
        (left.major, left.minor) < (right.major, right.minor)
    }
}

/// What a test needs of the broker. `scripts/test.sh` counts by these words what was left out: nothing is in silence.
extension Trait where Self == ConditionTrait {
    /// Leaves the test out if the broker is older.
    public static func needsBroker(_ version: BrokerVersion) -> Self {
        .enabled("needs RabbitMQ \(version)") { try await BrokerVersion.current >= version }
    }

    /// Leaves the test out if the broker is of this version, or later.
    public static func needsBroker(before version: BrokerVersion) -> Self {
        .enabled("needs a RabbitMQ before \(version)") { try await BrokerVersion.current < version }
    }

    /// Leaves the test out where the broker is somebody else's, and `rabbitmqctl` can't be asked.
    public static var needsRabbitmqctl: Self {
        .enabled("needs rabbitmqctl") { offers("RABBITMQ_TEST_CTL") }
    }

    /// Leaves the test out where the broker isn't that of `scripts/broker.sh`, with its certificates, users and ports.
    public static var needsBrokerScript: Self {
        .enabled("needs scripts/broker.sh") { offers("RABBITMQ_TEST_CERTS") }
    }

    /// Leaves the test out unless a cluster was started for it.
    public static var needsCluster: Self {
        .enabled("needs scripts/test.sh --cluster") { offers("RABBITMQ_TEST_CLUSTER") }
    }

    /// Leaves the test out where the broker is only known to take TLS.
    public static var needsPlainPort: Self {
        .enabled("needs a port without TLS") { (try? TestBroker.uri)?.hasPrefix("amqps:") != true }
    }

    /// Where no broker is given at all, this is true of everything: the tests then fail, and say what to do.
    private static func offers(_ name: String) -> Bool {
        let environment = ProcessInfo.processInfo.environment
        return environment["RABBITMQ_URI"]?.isEmpty != false || environment[name]?.isEmpty == false
    }
}
