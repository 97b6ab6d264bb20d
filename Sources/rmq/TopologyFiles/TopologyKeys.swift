#if Tool
/// The keys that a topology's file may have.
///
/// One that nobody reads is misspelled mostly, and what it was to say would be missing in silence: with `routing_key`,
/// as RabbitMQ's definitions have it, a queue would be bound by an empty key.
enum TopologyKeys {
    private static let lists = [
        ("exchanges", ["name", "type", "durable", "autoDelete", "internal", "arguments"]),
        ("queues", ["name", "durable", "exclusive", "autoDelete", "arguments"]),
        ("bindings", ["source", "queue", "exchange", "routingKey", "arguments"]),
    ]

    /// Refuses a key that nobody reads.
    ///
    /// - Parameters:
    ///   - object: What the file holds.
    ///   - path: What the file is called.
    static func check(_ object: Any, of path: String) throws {
        guard let file = object as? [String: Any] else { return }
        let names = lists.map { $0.0 }
        // Beside the lists people keep under such a key what they refer to in several places, by YAML's anchors.
        if let key = file.keys.sorted().first(where: { !names.contains($0) && !$0.hasPrefix("x-") }) {
            throw ToolError(
                "\(path) has '\(Terminal.harmless(key))'; it may have \(names.joined(separator: ", ")).",
                cure: "Of RabbitMQ's definitions 'rmq topology export --definitions FILE' makes such a file."
            )
        }
        for (list, keys) in lists {
            for (index, entry) in ((file[list] as? [Any]) ?? []).enumerated() {
                guard let entry = entry as? [String: Any] else { continue }
                if let key = entry.keys.sorted().first(where: { !keys.contains($0) }) {
                    throw ToolError(
                        "\(path): .\(list)[\(index)] has '\(Terminal.harmless(key))'; it may have "
                            + "\(keys.joined(separator: ", "))."
                    )
                }
            }
        }
    }
}
#endif
