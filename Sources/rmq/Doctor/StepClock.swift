#if Tool
internal import Logging
internal import Synchronization

/// When the library began each step of connecting, as it logs at the level debug.
final class StepClock: Sendable {
    private let times = Mutex<[String: ContinuousClock.Instant]>([:])

    /// When a step began; nil if it didn't.
    func time(of step: String) -> ContinuousClock.Instant? { times.withLock { $0[step] } }

    /// A logger whose lines are only noted.
    var logger: Logger {
        var logger = Logger(label: "rmq.doctor") { _ in Handler(clock: self) }
        logger.logLevel = .debug
        return logger
    }

    private struct Handler: LogHandler {
        let clock: StepClock
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.debug

        init(clock: StepClock) { self.clock = clock }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let now = ContinuousClock.now
            clock.times.withLock { $0[event.message.description] = now }
        }
    }
}
#endif
