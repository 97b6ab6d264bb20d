import TestSupport

extension ScriptedBroker.Session {
    /// Waits for the message of this number, and answers it.
    ///
    /// - Returns: The channel on which it came.
    func answer(_ number: Int, with method: PeerMethod) async throws -> UInt16 {
        try await eventually("message \(number) has come") { published.count >= number }
        let channel = published[number - 1].channel
        let tag = published.prefix(number).count { $0.channel == channel }
        try await peer.send(method, channel: channel) {
            $0.longLong(UInt64(tag))
            $0.octet(0)
        }
        return channel
    }
}
