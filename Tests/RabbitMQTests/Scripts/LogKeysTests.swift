import Foundation
import TestSupport
import Testing

@Suite("scripts/log-keys.sh", .timeLimit(.minutes(1)))
struct LogKeysTests {
    private static let script = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "scripts/log-keys.sh").path

    private static let keys = """
        enum LogKey {
            static let queue = "queue"
            static let consumerTag = "consumer-tag"
        }
        """

    /// What the script says of a file with this line; nothing if it is content.
    private static func check(
        _ line: String,
        in path: String = "Wire/Planted.swift",
        keys: String = keys,
        _ option: String = ""
    ) async throws -> String {
        let folder = FileManager.default.temporaryDirectory.appending(path: "log-keys-\(UUID())")
        defer { try? FileManager.default.removeItem(at: folder) }
        for (path, text) in [path: "import Logging\n\(line)\n", "Errors/LogKey.swift": keys] {
            let file = folder.appending(path: path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(),
                withIntermediateDirectories: true
            )
            try text.write(to: file, atomically: false, encoding: .utf8)
        }
        let output = try await Subprocess.run(
            "/bin/sh",
            ["-c", #""$0" $2 "$1" 2>&1 || echo "status $?""#, script, folder.path, option]
        )
        return output.replacing(folder.path + "/", with: "")
    }

    @Test func `has nothing to say of the library`() async throws {
        #expect(try await Subprocess.run("/bin/sh", ["-c", #""$0" || echo "status $?""#, Self.script]) == "")
    }

    @Test(arguments: [
        #"logger.debug("gone", metadata: [LogKey.queue: "\(name)", LogKey.consumerTag: "\(tag)"])"#,
        #"metadata[LogKey.queue] = "\(name)""#,
        #"let properties = ["product": "rabbitmq-swift"]"#,
        #"// metadata: ["queue": "\(name)"]"#,
        #"case "queue": "\(name)""#,
        #"let isQueue = kind == "queue" ? "\(name)" : "none""#,
    ]) func `passes over what has constants, or is no metadata`(line: String) async throws {
        #expect(try await Self.check(line) == "")
    }

    @Test(arguments: [
        #"logger.debug("gone", metadata: ["queue": "\(name)"])"#,
        #"logger.debug("gone", metadata: [LogKey.queue: "\(name)", "consumer-tag": "\(tag)"])"#,
        #"metadata["unsent bytes"] = "7""#,
        #"say(version, ["broker": "RabbitMQ \(version)"])"#,
        #""consumer-tag":"#,
    ]) func `names the place of a text for a key`(line: String) async throws {
        #expect(try await Self.check(line) == "Wire/Planted.swift:2: \(line)\nstatus 1\n")
    }

    @Test(arguments: [
        "unsent bytes", "unsentBytes", "unsent_bytes", "Unsent", "unsent-", "unsent--bytes", "", "bytes7",
    ])
    func `wants the keys to be spelt alike`(key: String) async throws {
        let said = try await Self.check("", keys: "enum LogKey {\n    static let key = \"\(key)\"\n}\n")
        #expect(said == "Errors/LogKey.swift:2: static let key = \"\(key)\"\nstatus 1\n")
    }
}
