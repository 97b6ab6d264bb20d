#if Tool
internal import ArgumentParser

extension CommandConfiguration {
    /// A command with its help: what it does, more about it, and what one types.
    init(
        name: String? = nil,
        _ abstract: String,
        _ discussion: String = "",
        aliases: [String] = [],
        examples: String...
    ) {
        let lines = examples.map { "  \($0)" }.joined(separator: "\n")
        self.init(
            commandName: name,
            abstract: abstract,
            discussion: (discussion.isEmpty ? "" : discussion + "\n\n") + "EXAMPLES:\n" + lines,
            aliases: aliases
        )
    }
}
#endif
