#if Tool
internal import Foundation

/// Nobody reads what a command writes any more.
struct BrokenOutput: Error {}

/// What commands write.
enum Terminal {
    /// Sees to it that what is closed stays so, and that a reader who leaves is an error; called before all else.
    static func prepare() {
        // A connection would get the number of a closed descriptor, and be read and written for it. The lowest that is
        // free is taken: that one. To read there, or to write, is refused.
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
            _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
        // So that what a command has made can be taken back. Programs that it runs would inherit SIG_IGN.
        signal(SIGPIPE) { _ in }
    }

    /// Writes bytes to the standard output, at once.
    ///
    /// - Throws: `BrokenOutput` if nobody takes them; `ToolError` if they can't be written for another reason.
    static func write(_ bytes: [UInt8]) throws { try write(bytes, to: STDOUT_FILENO) }

    /// Writes a line to the standard output.
    static func say(_ line: String) throws { try write(Array("\(line)\n".utf8)) }

    /// Writes a line to the standard error. What it quotes, of brokers, servers and files, does nothing to a terminal.
    static func complain(_ line: String) { try? write(Array("\(harmless(line))\n".utf8), to: STDERR_FILENO) }

    static func write(_ bytes: [UInt8], to descriptor: Int32) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
                continue
            }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                var wish = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&wish, 1, -1)
            case EPIPE: throw BrokenOutput()
            case let code: throw ToolError("The output can't be written: \(String(cString: strerror(code))).")
            }
        }
    }

    /// Whether somebody may still read the standard output: a pipe says when its last reader has gone.
    static var hasReader: Bool {
        var wish = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
        return poll(&wish, 1, 0) < 1 || wish.revents & Int16(POLLERR) == 0
    }

    /// Text that does nothing to a terminal: control characters are escaped, but for line feeds and tabs; so is what turns
    /// the direction of writing round, by which a name would look like another.
    static func harmless(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if isHarmful(scalar) {
                result.append(contentsOf: scalar.escaped(asASCII: true).unicodeScalars)
            } else {
                result.append(scalar)
            }
        }
        return String(result)
    }

    private static func isHarmful(_ scalar: Unicode.Scalar) -> Bool {
        let isControl = scalar.properties.generalCategory == .control && scalar != "\n" && scalar != "\t"
        return isControl || scalar.properties.isBidiControl
    }

    /// Whether a person reads the standard output.
    static let isScreen = isatty(STDOUT_FILENO) == 1

    /// What others have written, as it goes to the standard output: as it is, but to a terminal it does nothing.
    static func shown(_ bytes: [UInt8]) -> [UInt8] {
        isScreen ? Array(harmless(String(decoding: bytes, as: UTF8.self)).utf8) : bytes
    }

    /// Harmless text on one line: a name is its maker's to choose, and must not look like another row of a table.
    static func harmlessRow(_ text: String) -> String {
        harmless(text).split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\\n")
    }

    /// A value as one line of JSON.
    static func json(_ value: some Encodable, isPretty: Bool = false) throws -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting =
            isPretty ? [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted] : [.sortedKeys, .withoutEscapingSlashes]
        return harmlessJSON(try encoder.encode(value))
    }

    /// JSON as text, in which the same is escaped as in ``harmless(_:)``, but as JSON does it: the values stay what they
    /// are. Encoders leave DEL, the C1 controls and what turns the direction as they are; all stand in strings alone, and
    /// none is beyond U+FFFF.
    static func harmlessJSON(_ json: Data) -> String {
        let text = String(decoding: json, as: UTF8.self)
        guard json.contains(where: { $0 >= 0x7F }) else { return text }
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if isHarmful(scalar) {
                result.append(contentsOf: String(format: "\\u%04x", scalar.value).unicodeScalars)
            } else {
                result.append(scalar)
            }
        }
        return String(result)
    }

    /// Whether colours may be used on the standard output: <https://no-color.org>.
    static var isColourful: Bool {
        let environment = ProcessInfo.processInfo.environment
        return isatty(STDOUT_FILENO) == 1 && environment["NO_COLOR"]?.isEmpty != false && environment["TERM"] != "dumb"
    }

    /// Colours text where that may be.
    static func coloured(_ text: String, _ colour: Colour) -> String {
        isColourful ? "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m" : text
    }

    enum Colour: Int {
        case red = 31
        case green = 32
        case yellow = 33
        case grey = 90
    }
}
#endif
