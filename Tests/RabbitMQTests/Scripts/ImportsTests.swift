import Foundation
import Testing

@Suite("scripts/imports.sh", .timeLimit(.minutes(1)))
struct ImportsTests {
    private static let script = CheckScript(name: "imports.sh")

    /// What the script says of a folder with these files; nothing if it is content.
    private static func check(_ files: [String: String]) async throws -> String {
        try await script.run(on: files)
    }

    @Test func `has nothing to say of the sources`() async throws {
        #expect(try await Self.script.run() == "")
    }

    @Test(arguments: [
        "internal import Dispatch\nimport FoundationEssentials",
        """
        #if canImport(FoundationEssentials) && !Large
        public import FoundationEssentials
        #else
        public import Foundation
        #endif
        #if canImport(Glibc)
        internal import Glibc
        #elseif canImport(Musl)
        internal import Musl
        #endif
        """,
        "// import Foundation, import Glibc",
        #"let text = "import Glibc""#,
    ]) func `passes over what is as it should be`(lines: String) async throws {
        #expect(try await Self.check(["RabbitMQ/A.swift": lines + "\n"]) == "")
    }

    @Test(arguments: [
        "internal import Glibc",
        "import Glibc // for pow",
        "@preconcurrency import func Glibc.pow",
        "#if canImport(Glibc)\n    internal import Glibc\n#endif",
        "#if canImport(Glibc)\ninternal import Glibc\n#elseif canImport(Musl)\npublic import Musl\n#endif",
        "#if canImport(Glibc)\nimport Glibc\n#elseif canImport(Musl)\nimport Glibc\n#endif",
    ]) func `names the place of a Glibc without Musl`(lines: String) async throws {
        let said = try await Self.check(["rmq/A.swift": lines + "\n"])
        let line = lines.hasPrefix("#if") ? 2 : 1
        #expect(said.hasPrefix("rmq/A.swift:\(line): Glibc is imported without Musl\n"), "\(said)")
        #expect(said.hasSuffix("status 1\n"), "\(said)")
    }

    @Test(arguments: [
        ("public import Foundation", 1),
        ("import struct Foundation.Date", 1),
        ("import FoundationNetworking", 1),
        ("#if canImport(FoundationEssentials)\nimport FoundationEssentials\n#endif\nimport Foundation", 4),
        ("#if canImport(FoundationEssentials)\nimport FoundationEssentials\n#else\n@_exported import Foundation", 4),
        ("#if Large\nimport FoundationEssentials\n#else\nimport Foundation\n#endif", 4),
    ]) func `names the place of the whole Foundation in the library only`(lines: String, line: Int) async throws {
        let said = try await Self.check(["RabbitMQ/Deep/A.swift": lines + "\n", "rmq/A.swift": lines + "\n"])
        #expect(said.hasPrefix("RabbitMQ/Deep/A.swift:\(line): Foundation"), "\(said)")
        #expect(said.contains("is imported even where there is FoundationEssentials\nstatus 1\n"), "\(said)")
    }
}
