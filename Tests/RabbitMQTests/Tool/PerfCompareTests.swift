import Foundation
import TestSupport
import Testing

@Suite("rmq perf --compare", .needsTool, .timeLimit(.minutes(1)))
struct PerfCompareTests {
    private struct Row: Decodable {
        var run: String
        var figure: String
        var before: Double
        var after: Double
        var ratio: Double?
    }

    /// Lends two files with what is given.
    private func compare(
        _ before: String,
        _ after: String,
        _ arguments: String...
    ) async throws -> ToolProcess.Outcome {
        let folder = FileManager.default.temporaryDirectory.appending(path: "compare-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (old, new) = (folder.appending(path: "before.json"), folder.appending(path: "after.json"))
        try Data(before.utf8).write(to: old)
        try Data(after.utf8).write(to: new)
        return try await ToolProcess.run(["perf", "--compare", old.path, new.path] + arguments)
    }

    private static func run(_ mode: String, rate: Double, p50: Double? = nil) -> String {
        let latency = p50.map { #","latency_us":{"max":9.5,"p50":\#($0),"p99":9,"p999":9}"# } ?? ""
        return #"{"cpu_us_per_message":0,"mode":"\#(mode)","rate":\#(rate),"size":100\#(latency)}"# + "\n"
    }

    @Test("medians of the runs of the same kind, with their ratio")
    func medians() async throws {
        let before = [900.0, 1000, 5000].map { Self.run("publish", rate: $0) }.joined() + "\n"
        let after = Self.run("publish", rate: 1500) + Self.run("publish", rate: 2500) + Self.run("get", rate: 1)
        let outcome = try await compare(before, after, "--json")
        #expect(outcome.status == 0 && outcome.error.isEmpty, "\(outcome)")
        let rows = try outcome.output.split(separator: "\n").map {
            try JSONDecoder().decode(Row.self, from: Data($0.utf8))
        }
        #expect(rows.map(\.figure) == ["rate", "cpu_us_per_message"], "\(outcome)")
        let rate = try #require(rows.first)
        #expect(rate.run == "publish, 100 bytes" && rate.before == 1000 && rate.after == 2000 && rate.ratio == 2)
        // Nothing can be said of how many times nothing it is.
        #expect(rows.last?.ratio == nil)
    }

    @Test("for people, a table for each kind")
    func table() async throws {
        let before = Self.run("ping-pong", rate: 100, p50: 80)
        let outcome = try await compare(before, Self.run("ping-pong", rate: 90, p50: 100))
        #expect(outcome.status == 0, "\(outcome)")
        let lines = outcome.output.split(separator: "\n")
        #expect(lines.count == 7 && lines.first?.hasPrefix("ping-pong, 100 bytes ") == true, "\(outcome)")
        let words = lines.first { $0.contains("latency_us.p50") }?.split(separator: " ") ?? []
        #expect(words == ["latency_us.p50", "80.00", "100.00", "+25.0", "%"], "\(outcome)")
    }

    @Test("what holds no results, or nothing that can be compared, is an error")
    func refused() async throws {
        let one = Self.run("publish", rate: 1)
        let none = try await compare(one, Self.run("get", rate: 1))
        #expect(none.status == 1 && none.error.contains("no run of the same mode"), "\(none)")
        let other = try await compare(one, one + "nonsense\n")
        #expect(other.status == 1 && other.error.contains("after.json: run 2 is no result"), "\(other)")
        let missing = try await ToolProcess.run(["perf", "--compare", "/nonexistent", "/nonexistent"])
        #expect(missing.status == 1 && missing.error.contains("/nonexistent can't be read"), "\(missing)")
    }
}
