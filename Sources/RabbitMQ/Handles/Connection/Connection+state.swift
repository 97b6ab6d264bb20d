extension Connection {
    /// Whether there is a connection, or it is made again, or it is closed for good.
    public var state: ConnectionState { core.health.state }

    /// What happens to the connection from now on: losses, tries, recoveries with what they brought back, the broker that
    /// takes no messages.
    ///
    /// Ends with the connection. The last 64 events are kept for a slow reader.
    public var events: AsyncStream<ConnectionEvent> { core.events.subscribe() }

    /// What a health check wants to know.
    public var health: ConnectionHealth { core.health }
}
