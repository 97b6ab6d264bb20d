#if Tool
internal import ArgumentParser
internal import Foundation

/// The file with the places that one connects to often, which holds passwords and so is its owner's alone.
///
/// ```text
/// [default]
/// uri = amqps://me:secret@rabbit.internal/orders
/// ca = /etc/ssl/rabbit.pem
/// management = https://rabbit.internal:15671
/// ```
struct Profiles {
    struct Section {
        var uri = ""
        var ca: String?
        var management: String?
    }

    let path: String
    private(set) var sections: [String: Section] = [:]

    static var path: String {
        let environment = ProcessInfo.processInfo.environment
        if let path = environment["RMQ_PROFILES"], !path.isEmpty { return path }
        let folder =
            environment["XDG_CONFIG_HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? "\(environment["HOME"] ?? "")/.config"
        return "\(folder)/rmq/profiles"
    }

    static var exist: Bool { FileManager.default.fileExists(atPath: path) }

    /// Reads the file.
    ///
    /// - Throws: `ValidationError` if it can't be read, if others can read it, or if it says what is not known.
    static func read() throws -> Profiles {
        let path = Self.path
        var status = stat()
        guard stat(path, &status) == 0 else { throw ValidationError("There is no profile file \(path).") }
        guard status.st_uid == getuid() || status.st_uid == 0 else {
            throw ValidationError("\(path) belongs to another user, and is not read.")
        }
        guard status.st_mode & 0o077 == 0 else {
            throw ValidationError("\(path) holds passwords, and others may read it: chmod 600 \(path)")
        }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ValidationError("\(path) can't be read.")
        }
        return try Profiles(path: path, text: String(decoding: data, as: UTF8.self))
    }

    init(path: String, text: String) throws {
        self.path = path
        var name: String?
        // CR and line feed, as other systems' files have them, are one character, which is no line feed.
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        for (index, line) in lines.enumerated() {
            let line = line.trimmingCharacters(in: .whitespaces)
            if line.isEmpty || line.hasPrefix("#") { continue }
            if line.hasPrefix("["), line.hasSuffix("]") {
                name = String(line.dropFirst().dropLast())
                sections[name ?? ""] = Section()
                continue
            }
            // Nothing of the line is shown: it may be a password.
            guard let name, let sign = line.firstIndex(of: "=") else {
                throw ValidationError("\(path), line \(index + 1): neither [a name] nor 'uri = ...' below one.")
            }
            let value = line[line.index(after: sign)...].trimmingCharacters(in: .whitespaces)
            switch line[..<sign].trimmingCharacters(in: .whitespaces) {
            case "uri": sections[name]?.uri = value
            case "ca": sections[name]?.ca = value
            case "management": sections[name]?.management = value
            default: throw ValidationError("\(path), line \(index + 1): known are uri, ca and management.")
            }
        }
    }

    func section(_ name: String) throws -> Section {
        guard let section = sections[name], !section.uri.isEmpty else {
            let names = sections.keys.sorted().joined(separator: ", ")
            throw ValidationError("\(path) has no profile \(name) with a uri; it has: \(names).")
        }
        return section
    }
}
#endif
