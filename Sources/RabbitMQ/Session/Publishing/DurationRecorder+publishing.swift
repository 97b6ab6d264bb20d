extension DurationRecorder {
    /// Runs what publishes a message and waits for the broker's word on it, and takes how long that took.
    func timing(_ publish: () async throws -> Void) async throws {
        let start = MonotonicTime.now
        do {
            try await publish()
        } catch {
            took(since: start, error)
            throw error
        }
        took(since: start, nil)
    }
}

/// What takes how long publishes to one exchange take.
final class ExchangeDurations: Sendable {
    let exchange: String
    let recorder: DurationRecorder

    init(_ exchange: String, _ meter: any DurationMeter) {
        self.exchange = exchange
        recorder = meter.publishing(to: exchange)
    }
}
