/// What has acknowledgements to write that were held back in order to be merged.
protocol SettlementWriter: AnyObject, Sendable {
    /// Writes what is held back. Called under the outbox's lock.
    func writeSettlements(to buffer: OutboundBuffer)

    /// Writes it for the last time, and refuses what is settled from here on. Called under the outbox's lock.
    func endSettlements(_ reason: AMQPError, to buffer: OutboundBuffer)
}
