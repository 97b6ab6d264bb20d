import Foundation
import Testing

/// The conformance table of the documentation is made of ``ConformanceRows`` and of the tests that exist, and held
/// against them here. After a change, `RABBITMQ_UPDATE_CONFORMANCE=1 swift test --filter Conformance` writes it anew.
@Suite("Conformance table")
struct ConformanceTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
    private static let table = root.appending(path: "Sources/RabbitMQ/RabbitMQ.docc/Conformance.md")

    /// The display names of all tests, found in their sources.
    private static let testNames: [String] = {
        let folder = root.appending(path: "Tests")
        let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)?.allObjects ?? []
        return files.compactMap { $0 as? URL }
            .filter {
                $0.pathExtension == "swift" && !$0.path.contains("/.build") && !$0.path.contains("/Conformance/")
            }
            .compactMap { try? String(contentsOf: $0, encoding: .utf8) }
            .flatMap { source in
                source.matches(of: /@Test\(\s*"([^"]+)"/).map { String($0.output.1) }
                    + source.matches(of: /func `([^`]+)`\(/).map { String($0.output.1) }
            }
    }()

    private static func proofs(_ row: ConformanceRow) -> [String] {
        row.tests.compactMap { beginning in testNames.sorted().first { $0.hasPrefix(beginning) } }
    }

    @Test("every row is proved by tests that exist, or says why it is not supported")
    func proved() {
        for row in ConformanceRows.all {
            for test in row.tests {
                #expect(Self.testNames.contains { $0.hasPrefix(test) }, "\(row.name): no test begins with \"\(test)\"")
            }
            #expect(!row.tests.isEmpty || !row.note.isEmpty, "\(row.name) is neither proved nor explained")
        }
    }

    /// The tests named after a row of the reference API, such as "row 7: …" or "… (row 25)".
    private static func tests(ofRow row: Int) -> [String] {
        Set(testNames.filter { name in name.matches(of: /\brow (\d+)\b/).contains { Int($0.output.1) == row } })
            .sorted()
    }

    @Test("every row of the reference API has tests named after it", arguments: 1...36)
    func reference(row: Int) {
        #expect(!Self.tests(ofRow: row).isEmpty)
    }

    @Test("every method of the specification stands in the table")
    func complete() {
        let methods = [
            "start", "secure", "tune", "open", "close", "flow", "declare", "delete", "bind", "unbind", "purge", "qos",
            "consume", "cancel", "publish", "return", "deliver", "get", "ack", "reject", "recover", "recover-async",
            "select", "commit", "rollback",
        ]
        let names = ConformanceRows.all.flatMap { $0.name.components(separatedBy: ", ") }
        for method in methods {
            #expect(names.contains(method), "\(method) is missing")
        }
    }

    @Test("the table in the documentation is the one that the tests prove")
    func current() throws {
        let markdown = Self.markdown()
        if ProcessInfo.processInfo.environment["RABBITMQ_UPDATE_CONFORMANCE"] == "1" {
            try markdown.write(to: Self.table, atomically: true, encoding: .utf8)
        }
        let written = try String(contentsOf: Self.table, encoding: .utf8)
        #expect(
            written == markdown,
            "stale: RABBITMQ_UPDATE_CONFORMANCE=1 swift test --filter Conformance writes it anew"
        )
    }

    private static func markdown() -> String {
        var lines = [
            "# Conformance", "",
            "What of AMQP 0-9-1 and of RabbitMQ's extensions the library has, and the tests that prove it.", "",
            "Written by the tests (`ConformanceTests`), which fail when it is stale. The tests run against RabbitMQ 3.10, 4.0 and",
            "4.3, and a scripted peer.", "",
        ]
        for area in ConformanceRow.Area.allCases {
            lines += ["## \(area.rawValue)", "", "| | In the library | Proved by |", "|---|---|---|"]
            for row in ConformanceRows.all where row.area == area {
                let proofs = proofs(row).map { "\u{201C}\($0)\u{201D}" } + (row.note.isEmpty ? [] : [row.note])
                let api = row.api.isEmpty ? (row.tests.isEmpty ? "no" : "yes") : row.api
                lines.append("| \(row.name) | \(api) | \(proofs.joined(separator: "; ")) |")
            }
            lines.append("")
        }
        lines += ["## The reference API, row by row", "", "| Row | Proved by |", "|---|---|"]
        for row in 1...36 {
            let proofs = tests(ofRow: row).map { "\u{201C}\($0)\u{201D}" }
            lines.append("| \(row) | \(proofs.joined(separator: "; ")) |")
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
