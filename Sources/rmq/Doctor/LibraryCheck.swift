#if Tool
internal import Foundation
internal import RabbitMQ

/// Says which C libraries this process has loaded, and which of their known mistakes matter to it.
struct LibraryCheck {
    private let library: Advisory.Library
    private let name: String
    private let version: String
    /// What Debian and Ubuntu call it.
    private let packages: [String]

    private static let loaded = [
        LibraryCheck(
            library: .librabbitmq,
            name: "librabbitmq",
            version: LinkedLibraries.librabbitmq,
            packages: ["librabbitmq4"]
        ),
        LibraryCheck(
            library: .openssl,
            name: "OpenSSL",
            version: LinkedLibraries.openSSL,
            packages: ["libssl3t64", "libssl3"]
        ),
    ]

    static func run(_ examination: inout Examination) async {
        var (found, causes, names): ([String], [String], [String]) = ([], [], [])
        for one in loaded {
            examination.versions[one.library.rawValue] = one.version
            found.append("\(one.name) \(one.version)")
            for advisory in await one.advisories() {
                names += advisory.names
                let numbers = advisory.names.joined(separator: " ")
                causes.append("\(one.name) has \(numbers): \(advisory.what); \(advisory.why)")
            }
        }
        guard !names.isEmpty else { return examination.add("libraries", found.joined(separator: ", ")) }
        examination.add(
            "libraries",
            .warning,
            "\(found.joined(separator: ", ")), with \(names.joined(separator: ", "))",
            cause: causes.joined(separator: ". "),
            cure:
                "Update it. A distribution may have mended it in the same version: the package's changelog tells, "
                + "which is not installed here, or names none of these.",
            advisories: names
        )
    }

    private func advisories() async -> [Advisory] {
        let all = Advisory.mattering(of: library, version: version)
        if all.isEmpty { return [] }
        let log = await BlockingWork.run(within: .seconds(2)) { [packages, version] in
            Self.changelog(of: packages, version)
        }
        return Advisory.mattering(of: library, version: version, log: log ?? "")
    }

    /// What the distribution has changed in that version; nothing if another one is installed than what is loaded.
    private static func changelog(of packages: [String], _ version: String) -> String {
        for package in packages {
            let path = "/usr/share/doc/\(package)/changelog.Debian.gz"
            guard FileManager.default.isReadableFile(atPath: path) else { continue }
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/env")
            process.arguments = ["zcat", path]
            let output = Pipe()
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = output
            process.standardError = FileHandle.nullDevice
            do {
                try process.run()
            } catch {
                continue
            }
            let bytes = (try? output.fileHandleForReading.readToEnd()) ?? Data()
            process.waitUntilExit()
            let text = String(decoding: bytes, as: UTF8.self)
            // As in "openssl (3.0.19-1~deb12u1) bookworm-security".
            let newest = text.split(separator: "\n", maxSplits: 1).first ?? ""
            if newest.contains("(\(version)-") { return text }
        }
        return ""
    }
}
#endif
