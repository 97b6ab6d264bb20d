public import RabbitMQ

/// A broker in the process of a test, to which the real client connects: it speaks AMQP 0-9-1 on a port of the loopback, and
/// starts within milliseconds.
///
/// ```swift
/// try await InProcessBroker.run { broker in
///     try await Connection.withConnection(broker.configuration) { connection in
///         let channel = try await connection.openChannel()
///         let queue = try await channel.declareQueue("orders")
///         try await queue.publish(Message("1"))
///     }
///     #expect(broker.queue("orders")?.ready == 1)
/// }
/// ```
///
/// <doc:WhatTheBrokerDoes> says what it does as RabbitMQ, and what not. Any number of connections share it; nothing is
/// written to disk, and everything is gone when it stops.
public final class InProcessBroker: Sendable {
    /// How it is set up.
    public struct Options: Sendable {
        /// The virtual host; `/` by default. There is one only.
        public var virtualHost = "/"

        /// The passwords of the users who may log in; nil, which is the default, for anybody.
        public var users: [String: String]?

        /// Which version of RabbitMQ it says that it is, by which the client chooses what to ask for; 4.0.5 by default. What
        /// it does differs by it in a few things only: see <doc:WhatTheBrokerDoes>.
        public var version = "4.0.5"

        /// Whether its clock runs; true by default. One that stands is moved by ``InProcessBroker/advance(by:)`` alone.
        public var clockRuns = true

        /// The largest body of a message, in bytes; 16 MiB by default, as RabbitMQ 4.
        public var maxMessageSize = 16 * 1024 * 1024

        /// The size of the largest frame in bytes, which it asks for; 131072 by default, 0 for no limit. Below 4096, which
        /// is the least that the protocol allows, no client can connect.
        public var frameMax: UInt32 = 131_072

        /// The most channels of a connection, which it asks for; 2047 by default, 0 for no limit.
        public var channelMax: UInt16 = 2047

        /// The defaults.
        public init() {}
    }

    let server: BrokerServer

    /// Starts a broker, which stops with the last reference to it or with ``stop()``.
    ///
    /// - Parameter options: How it is set up.
    /// - Throws: ``/RabbitMQ/AMQPError/Code/connectionFailed`` if the system has no socket or no thread left.
    public init(_ options: Options = Options()) throws {
        server = try BrokerServer(options)
        virtualHost = options.virtualHost
    }

    private let virtualHost: String

    deinit { server.stop() }

    /// Starts a broker, lends it to `body`, and stops it.
    ///
    /// - Parameters:
    ///   - options: How it is set up.
    ///   - body: What to do with it.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws; what ``init(_:)`` throws.
    public static func run<Result>(
        _ options: Options = Options(),
        _ body: (InProcessBroker) async throws -> Result
    ) async throws -> Result {
        let broker = try InProcessBroker(options)
        defer { broker.stop() }
        return try await body(broker)
    }

    /// Ends all connections without a word, and listens no more: a moment after this returns. A second time does nothing.
    public func stop() { server.stop() }

    /// The port of 127.0.0.1 that it listens on.
    public var port: Int { server.port }

    /// How to connect to it: no heartbeats, deadlines of a few seconds, and tries to connect again that follow each other
    /// within milliseconds.
    public var configuration: ConnectionConfiguration {
        var configuration = ConnectionConfiguration(host: "127.0.0.1", port: port, virtualHost: virtualHost)
        configuration.heartbeat = .zero
        configuration.connectTimeout = .seconds(5)
        configuration.callTimeout = .seconds(5)
        configuration.publishTimeout = .seconds(5)
        configuration.closeTimeout = .seconds(2)
        configuration.recovery.firstDelay = .zero
        configuration.recovery.backOff = .milliseconds(2)
        configuration.recovery.maxDelay = .milliseconds(20)
        return configuration
    }

    /// Where it is, as a URI, for what reads one: the user and the password are `guest`.
    public var uri: String {
        let host = virtualHost == "/" ? "" : "/" + virtualHost.utf8.map(Self.encoded).joined()
        return "amqp://guest:guest@127.0.0.1:\(port)\(host)"
    }

    /// A byte of a name as a URI has it.
    private static func encoded(_ byte: UInt8) -> String {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
            String(UnicodeScalar(byte))
        default: (byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
        }
    }
}
