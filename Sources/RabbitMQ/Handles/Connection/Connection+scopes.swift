extension Connection {
    /// Connects, runs `body`, and closes the connection, whether `body` returns or throws.
    ///
    /// It is closed as ``close()`` says, also in a task that is cancelled: what was published is sent.
    ///
    /// - Parameters:
    ///   - configuration: Where to, as whom, and with which limits.
    ///   - body: What to do with the connection.
    /// - Returns: What `body` returns.
    /// - Throws: What ``connect(_:onClose:)`` throws, and what `body` throws.
    @discardableResult
    public static func withConnection<Result>(
        _ configuration: ConnectionConfiguration = ConnectionConfiguration(),
        _ body: (Connection) async throws -> Result
    ) async throws -> Result {
        let connection = try await connect(configuration)
        do {
            let result = try await body(connection)
            await connection.close()
            return result
        } catch {
            await connection.close()
            throw error
        }
    }

    /// Opens a channel, runs `body`, and closes the channel, whether `body` returns or throws; as ``Channel/close()`` says,
    /// also in a task that is cancelled.
    ///
    /// - Parameter body: What to do with the channel.
    /// - Returns: What `body` returns.
    /// - Throws: What ``openChannel()`` throws, and what `body` throws.
    @discardableResult
    public func withChannel<Result>(_ body: (Channel) async throws -> Result) async throws -> Result {
        let channel = try await openChannel()
        do {
            let result = try await body(channel)
            await channel.close()
            return result
        } catch {
            await channel.close()
            throw error
        }
    }
}
