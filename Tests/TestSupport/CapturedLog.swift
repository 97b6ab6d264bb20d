public import Logging
internal import Synchronization

/// What a ``Logger`` was given, to be looked at by tests.
public final class CapturedLog: Sendable {
    public struct Entry: Sendable, CustomStringConvertible {
        public let level: Logger.Level
        public let message: String
        public let metadata: Logger.Metadata
        /// When it came, on the thread that logged it: however long tests wait for a thread to go on, this is right.
        public let time = ContinuousClock.now

        /// Level, message and metadata on one line.
        public var description: String { "\(level) \(message) \(metadata)" }
    }

    private let stored = Mutex<[Entry]>([])

    private let onEntry: (@Sendable (Entry) -> Void)?

    /// - Parameter onEntry: Called with each entry once it is stored, on the thread that logs it.
    public init(onEntry: (@Sendable (Entry) -> Void)? = nil) { self.onEntry = onEntry }

    public var entries: [Entry] { stored.withLock { $0 } }

    /// The entries whose line holds `text`.
    public func entries(containing text: String) -> [Entry] {
        entries.filter { $0.description.contains(text) }
    }

    /// A logger that writes here, from the level `trace` on.
    public var logger: Logger {
        var logger = Logger(label: "test") { _ in Handler(log: self) }
        logger.logLevel = .trace
        return logger
    }

    fileprivate func append(_ entry: Entry) {
        stored.withLock { $0.append(entry) }
        onEntry?(entry)
    }
}

private struct Handler: LogHandler {
    let log: CapturedLog
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        log.append(CapturedLog.Entry(level: event.level, message: event.message.description, metadata: all))
    }
}
