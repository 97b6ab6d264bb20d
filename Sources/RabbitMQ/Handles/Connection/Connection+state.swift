extension Connection {
    /// Whether there is a connection, or it is made again, or it is closed for good.
    public var state: ConnectionState { core.health.state }

    /// What happens to the connection from now on: losses, tries, recoveries with what they brought back, the broker that
    /// stops taking messages or takes them again (`connection.blocked`, `connection.unblocked`).
    ///
    /// While it takes none, publishing waits, for the configuration's `publishTimeout` at the most; everything else goes on.
    /// RabbitMQ: [Blocked connections](https://www.rabbitmq.com/docs/connection-blocked).
    ///
    /// Ends with the connection. The last 64 events are kept for a slow reader.
    public var events: AsyncStream<ConnectionEvent> { core.events.subscribe() }

    /// What a health check wants to know.
    public var health: ConnectionHealth { core.health }

    /// What has happened since the connection was made, and what waits on it, in numbers.
    ///
    /// Counting them costs next to nothing; reading them takes a lock of each channel for a moment.
    public var statistics: ConnectionStatistics { core.statistics }

    /// The last frames of the connection, at present or before it ended; nil if they are not recorded
    /// (``ConnectionConfiguration/recordedFrames``).
    public var recording: FlightRecording? {
        get async { await link.recording }
    }
}
