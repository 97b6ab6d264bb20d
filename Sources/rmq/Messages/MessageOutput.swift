#if Tool
internal import ArgumentParser
internal import RabbitMQ

/// How messages are written.
struct MessageOutput: ParsableArguments {
    @Flag(help: "A message a line, as JSON with its properties; 'rmq publish --ndjson' takes it.")
    var json = false

    @Option(help: ArgumentHelp("A message as this says.", discussion: MessageFormat.help))
    var format: String?

    @Flag(help: "With properties, headers and deaths, for people.")
    var details = false

    @Flag(help: "Bodies alone, a line each; what would control a terminal is shown there, and not done.")
    var bodies = false

    /// Whether bodies alone are written.
    var isBodies: Bool { !json && format == nil && !details }

    func validate() throws {
        guard [json, format != nil, details, bodies].count(where: { $0 }) < 2 else {
            throw ValidationError("--json, --format, --details and --bodies exclude each other.")
        }
        do {
            _ = try format.map(MessageFormat.init)
        } catch {
            throw ValidationError("--format: \(error)")
        }
    }

    /// What writes messages.
    ///
    /// - Parameter details: Whether they are written with their properties if nothing else is said.
    func writer(details isDefault: Bool = false) throws -> Writer {
        if json { return Writer(manner: .json) }
        if let format { return Writer(manner: .format(try MessageFormat(format))) }
        return Writer(manner: details || (isDefault && !bodies) ? .details : .bodies)
    }

    struct Writer {
        enum Manner {
            case bodies, json, details
            case format(MessageFormat)
        }

        let manner: Manner
        private(set) var count = 0

        init(manner: Manner) { self.manner = manner }

        /// A message as it is written.
        mutating func bytes(_ message: IncomingMessage) throws -> [UInt8] {
            count += 1
            return switch manner {
            case .bodies: Terminal.shown(message.body) + [UInt8(ascii: "\n")]
            case .json: Terminal.shown(Array("\(try MessageRecord(message).line())\n".utf8))
            case .details: Array("\(MessageDetails(message: message, number: count).text)\n".utf8)
            case .format(let format): try format.bytes(message, number: count)
            }
        }

        /// Writes a message to the standard output, all of it.
        mutating func write(_ message: IncomingMessage) throws { try Terminal.write(try bytes(message)) }
    }
}
#endif
