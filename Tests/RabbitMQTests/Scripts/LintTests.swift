import Testing

@Suite("scripts/lint.sh", .timeLimit(.minutes(1)))
struct LintTests {
    private static let script = CheckScript(name: "lint.sh")

    private static let tree = [
        ".ci/run": "#!/usr/bin/env bash\n",
        "Package.swift": "import PackageDescription\n",
        "README.md": "# Hares\n",
        "Sources/RabbitMQ/Errors/LogKey.swift": "enum LogKey {\n    static let queue = \"queue\"\n}\n",
        "Sources/RabbitMQ/High/High.swift": "struct High { let low: Low }\n",
        "Sources/RabbitMQ/Low/Low.swift": "struct Low {}\n",
        "Sources/RabbitMQ/RabbitMQ.docc/Architecture.md": "```layers\nErrors:\nLow: Errors\nHigh: Low\n```\n",
        "Tests/LowTests/LowTests.swift": "struct LowTests {}\n",
        "scripts/bench/test_bench.py": "",
    ]

    @Test func `is content with files that keep its rules`() async throws {
        #expect(try await Self.script.runWithin(Self.tree) == "lint.sh: all checks passed\n")
    }

    struct Planted: Sendable, CustomTestStringConvertible {
        let path: String
        let text: String
        /// What lint says of it, behind its path.
        let says: String

        /// - Parameter path: By default a file of the lower layer.
        init(_ text: String, _ says: String, in path: String = "Sources/RabbitMQ/Low/Planted.swift") {
            (self.path, self.text, self.says) = (path, text, says)
        }

        var testDescription: String { text }
    }

    // One for each of the checks: that lint makes it at all, and fails over what it says.
    static let planted = [
        Planted("let number=1", "1:11: error"),
        Planted("struct Planted { let high: High }", "1: Low may not mention High (High)"),
        Planted("`Ghost`", "1: `Ghost` is not there", in: "Sources/RabbitMQ/RabbitMQ.docc/Planted.md"),
        Planted("import CRabbitMQ", "1:import CRabbitMQ", in: "Tests/LowTests/Planted.swift"),
        Planted("internal import Foundation", "1: Foundation is imported even where"),
        Planted("final class Planted: @unchecked Sendable {}", "1: final class Planted: @unchecked Sendable {}"),
        Planted(
            "struct Planted: ~Copyable {\n    var low: Low?\n    mutating func plant() { low?.seed = 1 }\n}",
            "3:    mutating func plant()"
        ),
        Planted("let metadata = [\"queue\": \"\\(1)\"]", "1: let metadata = [\"queue\""),
        // In two parts: lint looks at this file too.
        Planted("let home = \"/\("home")/me\"", "1:let home = "),
        Planted("#!/usr/bin/env bash\nif", " ", in: "scripts/planted.sh"),
    ]

    @Test(arguments: planted)
    func `fails over one thing that is wrong, and says where it is`(planted: Planted) async throws {
        let files = Self.tree.merging([planted.path: planted.text + "\n"]) { _, new in new }
        let said = try await Self.script.runWithin(files)
        #expect(said.contains("\(planted.path):\(planted.says)"), "\(said)")
        #expect(said.hasSuffix("lint.sh: 1 of the checks failed.\nstatus 1\n"), "\(said)")
    }
}
