internal import Synchronization

extension ConnectionCore {
    /// Does what may be done twice, and does it again if the connection is lost meanwhile and is made again: a call that is on
    /// its way fails then, for nobody knows whether the broker has carried it out.
    ///
    /// Not where the broker has closed the connection over something, which may be this: it would be closed again and again,
    /// for all others too, and whoever waits would never hear why.
    ///
    /// - Parameter body: What to do. It is not done again where nobody waits for a connection (``RecoveryPolicy/whileDown``).
    func repeating<Result>(_ body: () async throws -> Result) async throws -> Result {
        while true {
            let link = link
            do {
                return try await body()
            } catch let error as AMQPError where error.isConnectionFatal && !error.isVerdict {
                // The link ends a moment after its calls fail. What comes next says whether there is another one.
                guard configuration.recovery.isEnabled, await link.ended.wait(atMost: .seconds(1)) != nil,
                    state.withLock({ $0.link !== link || $0.recovery.outage != nil })
                else { throw error }
                _ = try await readyLink()
            }
        }
    }
}
