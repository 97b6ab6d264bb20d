import Foundation
import TestSupport
import Testing

@Suite("The tool's habits", .needsTool, .timeLimit(.minutes(2)))
struct ToolHabitsTests {
    /// A command as the argument parser describes it.
    private struct Command: Decodable {
        var commandName: String
        var abstract: String?
        var discussion: String?
        var subcommands: [Command]?
    }

    private struct Help: Decodable {
        var command: Command
    }

    private static func withProfiles(
        _ text: String,
        mode: Int = 0o600,
        _ body: (String) async throws -> Void
    ) async throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "profiles-\(UUID().uuidString)").path
        try Data(text.utf8).write(to: URL(filePath: path))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try await body(path)
    }

    private static func count(_ arguments: String..., environment: [String: String]) async throws -> ToolProcess.Outcome
    {
        let outcome = try await ToolProcess.run(["count", "q"] + arguments, environment: environment)
        #expect(!outcome.output.contains("secret-word") && !outcome.error.contains("secret-word"), "\(outcome)")
        return outcome
    }

    /// Nobody listens there.
    private static let nowhere = "amqp://me:secret-word@127.0.0.1:1"

    @Test("the version is told")
    func version() async throws {
        let outcome = try await ToolProcess.run(["--version"])
        #expect(outcome.status == 0 && outcome.output == "0.9.0\n", "\(outcome)")
    }

    @Test("every command says what it does, with three examples")
    func examples() async throws {
        let outcome = try await ToolProcess.run(["--experimental-dump-help"])
        let root = try JSONDecoder().decode(Help.self, from: Data(outcome.output.utf8)).command
        var leaves = 0
        func check(_ command: Command, _ path: String) {
            #expect(command.abstract?.isEmpty == false, "\(path)")
            let subcommands = (command.subcommands ?? []).filter { $0.commandName != "help" }
            for next in subcommands { check(next, "\(path) \(next.commandName)") }
            guard subcommands.isEmpty else { return }
            leaves += 1
            let examples = (command.discussion ?? "").split(separator: "\n").drop { $0 != "EXAMPLES:" }.dropFirst()
            #expect(examples.count { $0.contains("rmq ") } >= 3, "\(path)")
        }
        check(root, "rmq")
        #expect(leaves >= 25)
    }

    @Test("output that can't be written is an error that says why")
    func fullDisk() async throws {
        try await Self.withProfiles("queues: [{name: q}]") { file in
            do {
                _ = try await Subprocess.limited("exec >/dev/full", "rmq", "topology", "export", file)
                Issue.record("nothing was wrong with it")
            } catch let failure as Subprocess.Failed {
                #expect(failure.description.contains("No space left on device"), "\(failure)")
            }
        }
    }

    @Test("what an error quotes does nothing to a terminal")
    func harmlessErrors() async throws {
        let outcome = try await ToolProcess.run(["topology", "export", "/nonexistent/\u{1B}[2J"])
        #expect(outcome.hasExited && outcome.status == 1, "\(outcome)")
        #expect(outcome.error == "Error: /nonexistent/\\u{1B}[2J can't be read.\n", "\(outcome)")
    }

    @Test("a topology is not empty by accident", arguments: ["", "\n# nothing\n", "---\n"])
    func emptyTopology(text: String) async throws {
        let nothing = try await ToolProcess.run(["topology", "export", "-"], input: text)
        #expect(nothing.hasExited && nothing.status == 1, "\(nothing)")
        #expect(nothing.error == "Error: - holds nothing.\nAn empty topology is written {}.\n", "\(nothing)")
        let empty = try await ToolProcess.run(["topology", "export", "-"], input: "{}")
        #expect(empty.hasExited && empty.status == 0, "\(empty)")
    }

    @Test("shells get completions", arguments: ["bash", "zsh", "fish"])
    func completions(shell: String) async throws {
        let outcome = try await ToolProcess.run(["--generate-completion-script", shell])
        #expect(outcome.status == 0 && outcome.output.contains("replay"), "\(outcome.error)")
    }

    @Test("a profile says where the broker is")
    func profile() async throws {
        try await Self.withProfiles("# mine\n[default]\nuri = \(Self.nowhere)\n\n[bad]\nuri = http://secret-word\n") {
            path in
            for arguments in [[], ["--profile", "default"]] {
                let outcome = try await ToolProcess.run(
                    ["count", "q"] + arguments,
                    environment: ["RMQ_PROFILES": path, "RABBITMQ_URI": ""]
                )
                #expect(outcome.status == 1 && outcome.error.contains("127.0.0.1, port 1"), "\(outcome)")
                #expect(outcome.error.contains("rmq doctor"), "\(outcome)")
                #expect(!outcome.error.contains("secret-word"))
            }
            let bad = try await Self.count("--profile", "bad", environment: ["RMQ_PROFILES": path])
            #expect(bad.status == 64 && bad.error.contains("the profile bad: "), "\(bad)")
            let none = try await Self.count("--profile", "other", environment: ["RMQ_PROFILES": path])
            #expect(none.status == 64 && none.error.contains("it has: bad, default"), "\(none)")
            let both = try await Self.count(
                "--profile",
                "bad",
                "--uri",
                Self.nowhere,
                environment: ["RMQ_PROFILES": path]
            )
            #expect(both.status == 64, "\(both)")
        }
    }

    @Test("a profile file may have lines as other systems write them")
    func foreignProfile() async throws {
        try await Self.withProfiles("[other]\r\nuri = http://x\r\n\r\n[mine]\r\nuri = \(Self.nowhere)\r\n") { path in
            let outcome = try await Self.count("--profile", "mine", environment: ["RMQ_PROFILES": path])
            #expect(outcome.status == 1 && outcome.error.contains("127.0.0.1, port 1"), "\(outcome)")
        }
    }

    @Test("a profile file that others may read is not used")
    func permissions() async throws {
        for mode in [0o644, 0o640, 0o604] {
            try await Self.withProfiles("[default]\nuri = \(Self.nowhere)\n", mode: mode) { path in
                let outcome = try await Self.count("--profile", "default", environment: ["RMQ_PROFILES": path])
                #expect(outcome.status == 64 && outcome.error.contains("chmod 600 \(path)"), "\(outcome)")
            }
        }
        try await Self.withProfiles("uri = \(Self.nowhere)\n") { path in
            let outcome = try await Self.count("--profile", "default", environment: ["RMQ_PROFILES": path])
            #expect(outcome.status == 64 && outcome.error.contains("line 1"), "\(outcome)")
        }
    }

    @Test("RABBITMQ_URI says where the broker is, and --uri wins")
    func variable() async throws {
        let outcome = try await Self.count(environment: ["RABBITMQ_URI": Self.nowhere])
        #expect(outcome.status == 1 && outcome.error.contains("127.0.0.1, port 1"), "\(outcome)")
        let other = try await Self.count("--uri", "amqp://127.0.0.1:2", environment: ["RABBITMQ_URI": Self.nowhere])
        #expect(other.error.contains("port 2"), "\(other)")
        let bad = try await Self.count(environment: ["RABBITMQ_URI": "http://secret-word"])
        #expect(bad.status == 64 && bad.error.contains("RABBITMQ_URI: "), "\(bad)")
    }

    @Test(
        "what can't be meant is refused before it connects",
        arguments: [
            ["peek", "q", "--format", "%q"], ["peek", "q", "--json", "--details"], ["peek", "q", "--count", "0"],
            ["get", "q", "--header", "=x"], ["publish", "x"], ["publish", "x", "--queue", "q", "--exchange", "e"],
            ["publish", "--ndjson", "--queue", "q", "--priority", "4"],
            ["publish", "--lines", "--ndjson", "--queue", "q"], ["publish", "x", "--queue", "q", "-H", "novalue"],
            ["publish", "x", "--queue", "q", "-H", "a:=nonsense"], ["publish", "x", "--queue", "q", "--rate", "0"],
            ["consume", "q", "--no-ack", "--count", "1"], ["consume", "q", "--requeue"],
            ["consume", "q", "--json", "--directory", "d"],
            ["consume", "q", "--idle", "soon"], ["consume", "q", "--offset", "7d"],
            ["tail", ""], ["move", "a", "a"], ["move", "a"], ["move", "a", "b", "--exchange", "e"],
            ["move", "a", "b", "--to-ca", "ca.pem"],
            ["copy", "a", "b", "--limit", "0"],
            ["replay", "q", "--routing-key", "k"], ["replay", "q", "--back-to", "nowhere"],
            ["replay", "q", "--back-to", "exchange", "--exchange", "e"],
            ["peek", "q", "--older-than", "2h", "--younger-than", "1h"],
            ["replay", "q", "--rate", "nan"], ["perf", "publish", "--rate", "1", "--hang-after", "1s"],
            ["serve", "q"], ["serve", "q", "--timeout", "0", "--", "cat"],
            ["request", "q", "x", "--timeout", "0"], ["binding", "declare", "e"],
            ["topology", "export"], ["topology", "export", "topology.yaml", "--of", "shop"], ["queue", "declare", ""],
            ["doctor", "--timeout", "1ms"], ["queue", "declare", "q", "-a", "x"], ["nonsense"],
            ["queue", "declare", "q", "--max-length", "9", "-a", "x-max-length:=5"],
            ["queue", "declare", "q", "-a", "x-max-length:=9", "-a", "x-max-length:=5"],
            ["exchange", "declare", "e", "--alternate-exchange", "a", "-a", "alternate-exchange=b"],
        ]
    )
    func refused(arguments: [String]) async throws {
        let outcome = try await ToolProcess.run(arguments, environment: ["RABBITMQ_URI": Self.nowhere])
        #expect(outcome.hasExited && outcome.status == 64, "\(outcome)")
        #expect(!outcome.error.contains("secret-word"))
    }
}
