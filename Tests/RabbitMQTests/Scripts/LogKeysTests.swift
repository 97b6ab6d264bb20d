import Foundation
import Testing

@Suite("scripts/log-keys.sh", .timeLimit(.minutes(1)))
struct LogKeysTests {
    private static let script = CheckScript(name: "log-keys.sh")

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
        try await script.run(on: [path: "import Logging\n\(line)\n", "Errors/LogKey.swift": keys], option)
    }

    @Test func `has nothing to say of the library`() async throws {
        #expect(try await Self.script.run() == "")
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
