import Foundation
import Testing

@Suite("scripts/layers.sh", .timeLimit(.minutes(1)))
struct LayersTests {
    private static let script = CheckScript(name: "layers.sh")

    private static let list = """
        ```layers
        Low:
        Middle: Low
        High: Low, Middle, CRabbitMQ
        ```
        """

    /// Not in the text below: lint takes that for an import of this file.
    private static let library = "CRabbitMQ"

    /// Three layers, of which each mentions only those below it.
    private static let tree = [
        "Low/Low.swift": """
        struct Low {
            enum Kind { case plain }
            init(_ kind: Kind) {}
        }
        """,
        "Middle/Rooms/Middle.swift": """
        struct Middle {
            let low: Low
            var isEmpty: Bool { false }
        }
        """,
        "High/High.swift": #"""
        internal import \#(library)
        struct High {
            struct Inner {}
            typealias Name = String
            let middle: Middle
        }
        protocol Highness {}
        actor Keeper {}
        func reachHigh() {}
        extension Low {
            struct Peak {}
            var isHigh: Bool { true }
            var isEmpty: Bool { true }
            func climb() {}
            init(height: Int) { self.init(.plain) }
        }
        extension [UInt8] {
            init(spelling text: String) { self.init(text.utf8) }
        }
        """#,
    ]

    /// What the script says of the tree with what is added; nothing if it is content.
    private static func check(_ added: [String: String], list: String = list) async throws -> String {
        let files = tree.merging(added) { _, new in new }
            .merging(["RabbitMQ.docc/Architecture.md": list]) { _, new in new }
        return try await script.run(on: files)
    }

    @Test func `has nothing to say of folders that keep to the list`() async throws {
        #expect(try await Self.check([:]) == "")
    }

    @Test func `has nothing to say of the library`() async throws {
        #expect(try await Self.script.run() == "")
    }

    @Test(arguments: [
        ("var high: High?", "High"),
        ("let inner = High.Inner()", "High"),
        ("let name: High.Name", "High.Name"),
        ("extension Middle: Highness {}", "Highness"),
        ("let keepers: [Int: Keeper] = [:]", "Keeper"),
        ("var peak: Low.Peak", "Low.Peak"),
        ("func go(_ low: Low) { low.climb() }", "climb"),
        ("func look(_ low: Low) -> Bool { low.isHigh }", "isHigh"),
        ("extension Low { func leap() { climb() } }", "climb"),
        ("extension Low { var isTall: Bool { self.isHigh } }", "isHigh"),
        ("extension Low { var isTiny: Bool { !isHigh } }", "isHigh"),
        ("let low = Low(height: 1)", "Low(height:)"),
        (#"let bytes = [UInt8](spelling: "a")"#, "Array(spelling:)"),
        ("func reach() { reachHigh() }", "reachHigh"),
        (#"let text = "it is \(High.self), // you see""#, "High"),
        ("/* not /* here */ */ let high: High", "High"),
        ("internal import CRabbitMQ", "CRabbitMQ"),
        ("@preconcurrency import struct CRabbitMQ.amqp_bytes_t_", "CRabbitMQ"),
    ]) func `names the place of what a folder may not mention`(line: String, what: String) async throws {
        let said = try await Self.check(["Middle/Planted.swift": "struct Planted {}\n\n\(line)\n"])
        let home = what == "CRabbitMQ" ? what : "High"
        #expect(said.contains("Middle/Planted.swift:3: Middle may not mention \(what) (\(home))\n"), "\(said)")
        #expect(said.hasSuffix("status 1\n"), "\(said)")
    }

    @Test(arguments: [
        "// High",
        "/* High /* High */ High */",
        #"let text = "High, \"High\" \\""#,
        ##"let text = #"High "High" \(High)"#"##,
        #"""
        let text = """
            High "High" // \
            High
            """
        """#,
        #"let text = "\(["High": 1]["High"] ?? 2) High""#,
        "enum Own { struct High {}; static let high: High? = nil }",
        "extension Middle { struct Inner {}; func inner() -> Inner { Inner() } }",
        "private struct Keeper {}\nprivate let keeper = Keeper()",
        "let kind = Low.Kind.plain",
        "func look(_ middle: Middle) -> Bool { middle.isEmpty }",
        "func put(climb: Int) -> Int { climb }",
    ]) func `passes over what only looks like a mention`(lines: String) async throws {
        #expect(try await Self.check(["Middle/Planted.swift": lines + "\n"]) == "")
    }

    @Test(arguments: [
        ("Low: High\nHigh: Low\nMiddle: Low", "md:2: Low may not mention High, which stands in no line above"),
        ("Low: Low\nMiddle: Low\nHigh: Low", "md:2: Low may not mention Low, which stands in no line above"),
        ("Low:\nLow:\nMiddle: Low\nHigh: Low, Middle, CRabbitMQ", "md:3: Low stands here twice"),
        ("Low:\nHigh: Low, CRabbitMQ", "Middle.swift:1: Middle is not in the list of layers"),
    ]) func `refuses a list that has a circle, or a gap`(lines: String, says: String) async throws {
        let said = try await Self.check([:], list: "```layers\n\(lines)\n```\n")
        #expect(said.contains(says + "\n"), "\(said)")
        #expect(said.hasSuffix("status 1\n"), "\(said)")
    }

    @Test func `refuses a page without a list`() async throws {
        let said = try await Self.check([:], list: "# Architecture\n")
        #expect(said.contains("has no list of layers"), "\(said)")
        #expect(said.hasSuffix("status 2\n"), "\(said)")
    }
}
