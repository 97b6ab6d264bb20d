/// A connection to a broker: one TCP connection, which carries several ``Channel``s.
///
/// Open one per process and broker, and a channel for each task:
///
/// ```swift
/// let connection = try await Connection.connect(host: "localhost")
/// let channel = try await connection.openChannel()
/// ```
///
/// It is closed with ``close()``, or when nothing that belongs to it is held any more.
/// AMQP 0-9-1, section 2.2.4.
public final class Connection: Sendable {
    let lease: ConnectionLease
    let core: ConnectionCore

    var link: Link { core.link }
    var parameters: ConnectionParameters { core.parameters }
    /// What was declared through its handles.
    var topology: TopologyRecord { core.topology }
    let advice: VersionAdvice

    private init(_ core: ConnectionCore) {
        lease = ConnectionLease(host: core)
        self.core = core
        advice = VersionAdvice(serverProperties: core.parameters.serverProperties, logger: core.logger)
    }

    /// Connects to a broker and logs in.
    ///
    /// - Parameters:
    ///   - configuration: Where to, as whom, and with which limits.
    ///   - onClose: Called once, with the error, when the connection ends otherwise than by ``close()``.
    /// - Throws: An ``AMQPError``: ``AMQPError/Code/connectionFailed`` if nobody answers there,
    ///   ``AMQPError/Code/authenticationFailed`` if the broker refuses the credentials, ``AMQPError/Code/notAllowed`` if
    ///   it refuses the virtual host, ``AMQPError/Code/tlsFailed`` with a ``TLSFailure``, ``AMQPError/Code/timedOut`` after
    ///   the configuration's `connectTimeout`, ``AMQPError/Code/invalidArgument``; with several endpoints one error for
    ///   all, with ``EndpointFailures``; `CancellationError`.
    public static func connect(
        _ configuration: ConnectionConfiguration,
        onClose: (@Sendable (AMQPError) -> Void)? = nil
    ) async throws -> Connection {
        do {
            try configuration.validate()
            try Task.checkCancellation()
            try DescriptorReserve.require()
            try DeadlineTimer.shared.start()
        } catch {
            configuration.connectedSocket.map(Socket.close)
            throw error
        }
        let core = try await ConnectionCore.connect(configuration)
        if let onClose { core.reportEnd(to: onClose) }
        return Connection(core)
    }

    /// Connects to a broker and logs in, with defaults for everything else.
    ///
    /// - Parameters:
    ///   - host: The name or address of the host.
    ///   - port: The TCP port.
    ///   - username: Who connects.
    ///   - password: The password.
    ///   - virtualHost: The virtual host.
    ///   - onClose: Called once, with the error, when the connection ends otherwise than by ``close()``.
    /// - Throws: What ``connect(_:onClose:)`` throws.
    public static func connect(
        host: String = "localhost",
        port: Int = 5672,
        username: String = "guest",
        password: String = "guest",
        virtualHost: String = "/",
        onClose: (@Sendable (AMQPError) -> Void)? = nil
    ) async throws -> Connection {
        let configuration = ConnectionConfiguration(
            host: host,
            port: port,
            credentials: .plain(username: username, password: password),
            virtualHost: virtualHost
        )
        return try await connect(configuration, onClose: onClose)
    }

    /// Connects, and opens a channel.
    ///
    /// - Parameters:
    ///   - configuration: Where to, as whom, and with which limits.
    ///   - onClose: Called once, with the error, when the connection ends otherwise than by ``close()``.
    /// - Returns: Both; the connection ends when neither it nor the channel is held any more.
    /// - Throws: What ``connect(_:onClose:)`` and ``openChannel()`` throw.
    public static func connectAndOpenChannel(
        _ configuration: ConnectionConfiguration = ConnectionConfiguration(),
        onClose: (@Sendable (AMQPError) -> Void)? = nil
    ) async throws -> (connection: Connection, channel: Channel) {
        let connection = try await connect(configuration, onClose: onClose)
        do {
            return (connection, try await connection.openChannel())
        } catch {
            await connection.close()
            throw error
        }
    }

    /// Opens a channel. Several tasks may do so at a time.
    ///
    /// - Throws: ``AMQPError/Code/tooManyChannels`` if as many as the broker allows are open; the reason, if the
    ///   connection has ended; ``AMQPError/Code/timedOut``; `CancellationError`.
    public func openChannel() async throws -> Channel {
        // The broker might answer before the cancellation is looked at.
        try Task.checkCancellation()
        return Channel(try await core.openChannel(), connection: self)
    }

    /// Opens a channel that publishes again, or does not, what it has not heard of when its connection is lost, whatever the
    /// configuration says.
    func openChannel(publishingAgain: Bool) async throws -> Channel {
        try Task.checkCancellation()
        return Channel(try await core.openChannel(publishesAgain: publishingAgain), connection: self)
    }

    /// Closes the connection with a handshake, when everything is sent that was handed over before.
    ///
    /// Calls that wait fail with ``AMQPError/Code/connectionClosed``, publishes that wait for room as well. Closing twice, or
    /// a connection that has ended, does nothing. It waits for the broker's answer also in a task that is cancelled, but no
    /// longer than the configuration's `closeTimeout`: what the broker has not taken by then, because it blocks the
    /// connection for example, is lost, and the ``ConnectionConfiguration/logger`` gets a warning.
    public func close() async {
        await core.close()
    }

    /// Waits for the end of the connection, and says why it ended.
    ///
    /// - Throws: `CancellationError`, which leaves the connection as it is.
    public var closed: ConnectionCloseReason {
        get async throws { ConnectionCloseReason(try await core.ended.wait()) }
    }

    /// Whether it is open, or is made again after it was lost: see ``state``. It may end at any moment: to be sure that
    /// something was done, look at what doing it threw.
    public var isOpen: Bool { closeReason == nil }

    /// Why the connection has ended; nil while it is open.
    public var closeReason: ConnectionCloseReason? { core.ended.current.map(ConnectionCloseReason.init) }

    /// Why the broker takes no messages at present (`connection.blocked`), in its words as they came; nil while it takes
    /// them.
    ///
    /// RabbitMQ: [Blocked connections](https://www.rabbitmq.com/docs/connection-blocked).
    public var blockedReason: String? { core.base.outbox.blockedReason }

    /// What the broker tells about itself: `product`, `version`, `capabilities` and so on.
    public var serverProperties: FieldTable { parameters.serverProperties }

    /// The most channels at a time, as agreed on with the broker.
    public var channelMax: Int { Int(parameters.channelMax) }

    /// The size of the largest frame in bytes, as agreed on with the broker.
    public var frameMax: Int { parameters.frameMax }

    /// The heartbeat interval, as agreed on with the broker; zero if there are none.
    public var heartbeat: Duration { .seconds(Int64(parameters.heartbeat)) }
}

extension ConnectionCore {
    /// Calls a handler when the connection ends otherwise than by the application, away from the queue.
    fileprivate func reportEnd(to handler: @escaping @Sendable (AMQPError) -> Void) {
        CallTimeout.withNone {
            _ = Task { [ended] in
                let reason = ConnectionCloseReason(try await ended.wait())
                if reason.kind != .closedByApplication { handler(reason.error) }
            }
        }
    }
}
