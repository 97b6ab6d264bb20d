internal import Logging
internal import Synchronization

/// A log that takes in everything, and notes a line that could pass for two or drives a terminal.
final class CheckedLog: Sendable {
    private let found = Mutex<[String]>([])

    /// The lines that hold control characters.
    var forged: [String] { found.withLock { $0 } }

    var logger: Logger {
        var logger = Logger(label: "fuzz") { _ in Handler(log: self) }
        logger.logLevel = .trace
        return logger
    }

    func check(_ line: String) {
        if line.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) {
            found.withLock { $0.append(line) }
        }
    }

    private struct Handler: LogHandler {
        let log: CheckedLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            log.check(event.message.description)
            for (key, value) in metadata.merging(event.metadata ?? [:], uniquingKeysWith: { $1 }) {
                log.check("\(key)=\(value)")
            }
        }
    }
}
