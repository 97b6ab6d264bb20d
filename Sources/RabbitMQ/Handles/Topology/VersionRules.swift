/// What a broker of some version does otherwise than a client asks.
struct VersionNote: Hashable, Sendable {
    /// What is asked for, by which notes are told apart.
    let feature: String
    /// What becomes of it, in words that follow the feature.
    let text: String
}

/// What RabbitMQ no longer does, or not yet, by its version. It says nothing by itself where it ignores something; where it
/// refuses something, that is its default, which its configuration can change: so these are notes, not errors.
enum VersionRules {
    /// For declaring a queue.
    static func notes(declaring queue: Topology.Queue, on version: ServerVersion) -> [VersionNote] {
        var notes: [VersionNote] = []
        let arguments = queue.arguments.table
        if arguments["x-queue-mode"] != nil, version.isAtLeast(3, 12) {
            notes.append(
                VersionNote(feature: "x-queue-mode", text: "is ignored: RabbitMQ 3.12 and later have one mode")
            )
        }
        if arguments["x-queue-version"]?.intValue == 1, version.isAtLeast(4, 3) {
            notes.append(
                VersionNote(feature: "x-queue-version 1", text: "is refused by RabbitMQ 4.3 and later: leave it out")
            )
        }
        if arguments["x-queue-master-locator"] != nil, version.isAtLeast(4, 3) {
            notes.append(
                VersionNote(
                    feature: "x-queue-master-locator",
                    text: "is denied by RabbitMQ 4.3 and later unless configured, which close the connection for it: "
                        + "use x-queue-leader-locator"
                )
            )
        }
        if !queue.durable, !queue.exclusive, version.isAtLeast(4, 3) {
            notes.append(
                VersionNote(
                    feature: "a queue that is neither durable nor exclusive",
                    text: "is denied by RabbitMQ 4.3.0 to 4.3.5 unless configured, which close the connection for it, "
                        + "and deprecated in later ones: make it durable or exclusive"
                )
            )
        }
        return notes + missing(arguments, declared, version)
    }

    /// For starting a consumer.
    static func notes(consuming arguments: FieldTable, on version: ServerVersion) -> [VersionNote] {
        missing(arguments, consumed, version)
    }

    /// For a prefetch limit of all consumers together.
    static func notes(limitingTogether version: ServerVersion) -> [VersionNote] {
        guard version.isAtLeast(4, 3) else { return [] }
        return [
            VersionNote(
                feature: "a prefetch limit for all consumers of a channel (global)",
                text:
                    "is denied by RabbitMQ 4.3 and later unless configured: each consumer that begins gets it for itself"
            )
        ]
    }

    private typealias Beginnings = KeyValuePairs<String, (major: Int, minor: Int)>

    private static let declared: Beginnings = [
        "x-stream-filter-size-bytes": (3, 13),
        "x-delayed-retry-type": (4, 3),
        "x-delayed-retry-min": (4, 3),
        "x-delayed-retry-max": (4, 3),
        "x-consumer-timeout": (3, 12),
        "x-consumer-disconnected-timeout": (4, 3),
    ]

    private static let consumed: Beginnings = ["x-stream-filter": (3, 13), "x-consumer-timeout": (4, 3)]

    /// What came later: brokers before that take it for an argument of somebody else's, and do nothing.
    private static func missing(
        _ arguments: FieldTable,
        _ beginnings: Beginnings,
        _ version: ServerVersion
    ) -> [VersionNote] {
        guard !arguments.isEmpty else { return [] }
        return beginnings.filter { arguments[$0.key] != nil && !version.isAtLeast($0.value.major, $0.value.minor) }
            .map { name, since in
                VersionNote(feature: name, text: "is ignored: it came with RabbitMQ \(since.major).\(since.minor)")
            }
    }
}
