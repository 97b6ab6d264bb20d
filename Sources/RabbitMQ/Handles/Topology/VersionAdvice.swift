internal import Logging
internal import Synchronization

/// Logs what a connection's broker does otherwise than it is asked, each thing once.
final class VersionAdvice: Sendable {
    private let version: ServerVersion?
    private let logger: Logger
    private let said = Mutex<Set<String>>([])

    /// - Parameters:
    ///   - serverProperties: What the broker tells about itself. Of brokers other than RabbitMQ nothing is said.
    ///   - logger: Where it goes.
    init(serverProperties: FieldTable, logger: Logger) {
        version = ServerVersion(serverProperties)
        self.logger = logger
    }

    /// A queue is about to be declared.
    func declaring(_ queue: Topology.Queue) {
        guard let version else { return }
        say(VersionRules.notes(declaring: queue, on: version), version, [LogKey.queue: "\(queue.name.printable())"])
    }

    /// A consumer is about to begin.
    func consuming(_ queue: String, _ arguments: FieldTable) {
        guard let version else { return }
        say(VersionRules.notes(consuming: arguments, on: version), version, [LogKey.queue: "\(queue.printable())"])
    }

    /// A channel's consumers are about to be limited together.
    func limitingTogether(channel: UInt16) {
        guard let version else { return }
        say(VersionRules.notes(limitingTogether: version), version, [LogKey.channel: "\(channel)"])
    }

    private func say(_ notes: [VersionNote], _ version: ServerVersion, _ metadata: Logger.Metadata) {
        for note in notes where said.withLock({ $0.insert(note.feature).inserted }) {
            logger.warning(
                "\(note.feature) \(note.text)",
                metadata: metadata.merging([LogKey.broker: "RabbitMQ \(version)"]) { given, _ in given }
            )
        }
    }
}
