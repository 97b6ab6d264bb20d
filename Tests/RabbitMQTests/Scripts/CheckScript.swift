import Foundation
import TestSupport

/// A script of the repository that says what is wrong with a tree of files.
struct CheckScript {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// Its name in the folder `scripts`.
    let name: String

    private var path: String { Self.root.appending(path: "scripts/\(name)").path }

    /// What it says of the repository; nothing if it is content.
    func run() async throws -> String {
        try await Subprocess.run("/bin/sh", ["-c", #""$0" || echo "status $?""#, path])
    }

    /// What it says of a folder with these files, named as from there; nothing if it is content.
    func run(on files: [String: String], _ option: String = "") async throws -> String {
        let folder = newFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        try Self.write(files, to: folder)
        return try await run(in: folder.path, option).replacing(folder.path + "/", with: "")
    }

    /// What it says of these files as those of a repository that has this one's scripts and format: for a script that only
    /// looks at the repository that it stands in.
    func runWithin(_ files: [String: String]) async throws -> String {
        let folder = newFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        try Self.write(files, to: folder)
        // By another process: what this one has open to write, a program that another test starts just then has open too,
        // and for as long the script can't be run ("Text file busy").
        _ = try await Subprocess.run(
            "/bin/sh",
            [
                "-c", #"mkdir -p "$1/scripts" && cp "$0"/scripts/*.sh "$1/scripts" && cp "$0/.swift-format" "$1""#,
                Self.root.path, folder.path,
            ]
        )
        return try await Subprocess.run(
            "/bin/sh",
            ["-c", #""$0" 2>&1 || echo "status $?""#, folder.appending(path: "scripts/\(name)").path]
        )
    }

    private func newFolder() -> URL { FileManager.default.temporaryDirectory.appending(path: "\(name)-\(UUID())") }

    private static func write(_ files: [String: String], to folder: URL) throws {
        for (path, text) in files {
            let file = folder.appending(path: path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(),
                withIntermediateDirectories: true
            )
            try text.write(to: file, atomically: false, encoding: .utf8)
        }
    }

    /// What it says of a folder that is there.
    func run(in folder: String, _ option: String = "") async throws -> String {
        try await Subprocess.run(
            "/bin/sh",
            ["-c", #""$0" $2 "$1" 2>&1 || echo "status $?""#, path, folder, option]
        )
    }
}
