#if Tool
internal import ArgumentParser
internal import RabbitMQ

/// What a broker says of a name.
protocol Lookup: Encodable, Sendable {
    /// Whether it has what has that name.
    var isThere: Bool { get }

    /// What is written of it, but for JSON.
    var line: String { get }

    static func look(for name: String, on connection: Connection) async throws -> Self
}

/// What is looked up, by its names.
struct LookupOptions: ParsableArguments {
    @Argument(help: "Their names; all that there are by default, which the management API has to tell.")
    var names: [String] = []

    @OptionGroup var management: ManagementOptions
    @OptionGroup var options: EntityOptions

    /// Looks for one after the other, or for all, and writes a line of each.
    ///
    /// - Throws: `ExitCode.failure` at the end if one is not there.
    func run<Row: Lookup, Listed: ManagementRow>(_ type: Row.Type, orAll listed: Listed.Type) async throws {
        let (names, json) = (names, options.json)
        if names.isEmpty { return try await management.list(Listed.self, of: options.connection, json: json) }
        try await options.run { channel in
            var isComplete = true
            for name in names {
                let row = try await Row.look(for: name, on: channel.connection)
                isComplete = isComplete && row.isThere
                try Terminal.say(json ? Terminal.json(row) : Terminal.harmlessRow(row.line))
            }
            Terminal.complain("as the broker says by AMQP")
            if !isComplete { throw ExitCode.failure }
        }
    }
}
#endif
