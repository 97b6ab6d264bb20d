public import RabbitMQ

/// Clients over the peer's other end.
extension ScriptedPeer {
    /// How a client connects over the other end: no heartbeats, and deadlines that end a test before it is killed.
    public var configuration: ConnectionConfiguration {
        var configuration = ConnectionConfiguration()
        configuration.connectedSocket = clientSocket
        configuration.heartbeat = .zero
        configuration.connectTimeout = .seconds(10)
        configuration.callTimeout = .seconds(10)
        configuration.publishTimeout = .seconds(10)
        configuration.closeTimeout = .seconds(5)
        return configuration
    }

    /// Connects, with the peer playing its part.
    public func connect(
        tune: Tune = Tune(),
        onClose: (@Sendable (AMQPError) -> Void)? = nil,
        configure: (inout ConnectionConfiguration) -> Void = { _ in }
    ) async throws -> Connection {
        var configuration = configuration
        configure(&configuration)
        async let connection = Connection.connect(configuration, onClose: onClose)
        try await handshake(tune)
        return try await connection
    }

    /// Opens a channel, with the peer playing its part.
    public func openChannel(on connection: Connection, _ number: UInt16? = nil) async throws -> Channel {
        async let channel = connection.openChannel()
        try await openChannel(number)
        return try await channel
    }

    /// Declares a queue, with the peer playing its part.
    public func declareQueue(_ name: String = "q", on channel: Channel) async throws -> Queue {
        async let queue = channel.declareQueue(name)
        try await declareQueue(channel: UInt16(channel.number))
        return try await queue
    }

    /// Makes sure that the client has handled what was sent before.
    public func roundTrip(on channel: Channel) async throws {
        async let qos: Void = channel.setQos(prefetchCount: 1)
        try await expect(.basicQos, channel: UInt16(channel.number))
        try await send(.basicQosOk, channel: UInt16(channel.number))
        try await qos
    }

    /// Starts a consumer, with the peer playing its part.
    public func consume(_ queue: Queue, noAck: Bool = false) async throws -> Deliveries {
        async let deliveries = queue.consume(ConsumerOptions(noAck: noAck))
        try await startConsumer(channel: UInt16(queue.channel.number))
        return try await deliveries
    }

    /// Connects a client, lends both, and hangs up.
    public static func withConnection(
        tune: Tune = Tune(),
        sendBuffer: Int32? = nil,
        configure: (inout ConnectionConfiguration) -> Void = { _ in },
        _ body: (ScriptedPeer, Connection) async throws -> Void
    ) async throws {
        let peer = try ScriptedPeer(sendBuffer: sendBuffer)
        defer { peer.hangUp() }
        let connection = try await peer.connect(tune: tune, configure: configure)
        try await body(peer, connection)
        peer.hangUp()
        _ = try await within(.seconds(10), "the end of the connection") { try await connection.closed }
    }

    /// Connects a client, opens a channel, lends all, and hangs up.
    public static func withChannel(
        tune: Tune = Tune(),
        sendBuffer: Int32? = nil,
        configure: (inout ConnectionConfiguration) -> Void = { _ in },
        _ body: (ScriptedPeer, Connection, Channel) async throws -> Void
    ) async throws {
        try await withConnection(tune: tune, sendBuffer: sendBuffer, configure: configure) { peer, connection in
            let channel = try await peer.openChannel(on: connection)
            try await body(peer, connection, channel)
        }
    }
}
