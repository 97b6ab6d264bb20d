extension DurationMeter {
    /// Runs what publishes a message and waits for the broker's word on it, and takes how long that took.
    func timing(publishTo exchange: String, _ publish: () async throws -> Void) async throws {
        let start = MonotonicTime.now
        do {
            try await publish()
        } catch {
            published(to: exchange, took: MonotonicTime.now &- start, error)
            throw error
        }
        published(to: exchange, took: MonotonicTime.now &- start, nil)
    }
}
