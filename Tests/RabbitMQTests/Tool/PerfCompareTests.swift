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

    private static func rows(_ outcome: ToolProcess.Outcome) throws -> [Row] {
        try outcome.output.split(separator: "\n").map { try JSONDecoder().decode(Row.self, from: Data($0.utf8)) }
    }

    private static func run(_ mode: String, rate: Double, p50: Double? = nil, options: String = "") -> String {
        let latency = p50.map { #","latency_us":{"max":9.5,"p50":\#($0),"p99":9,"p999":9}"# } ?? ""
        return #"{"cpu_us_per_message":0,"mode":"\#(mode)","rate":\#(rate),"size":100\#(latency)\#(options)}"# + "\n"
    }

    @Test("medians of the runs of the same kind, with their ratio")
    func medians() async throws {
        let before = [900.0, 1000, 5000].map { Self.run("publish", rate: $0) }.joined() + "\n"
        let after = Self.run("publish", rate: 1500) + Self.run("publish", rate: 2500) + Self.run("get", rate: 1)
        let outcome = try await compare(before, after, "--json")
        #expect(outcome.status == 0 && outcome.error.isEmpty, "\(outcome)")
        let rows = try Self.rows(outcome)
        #expect(rows.map(\.figure) == ["rate", "cpu_us_per_message"], "\(outcome)")
        let rate = try #require(rows.first)
        #expect(rate.run == "publish, 100 bytes" && rate.before == 1000 && rate.after == 2000 && rate.ratio == 2)
        // Nothing can be said of how many times nothing it is.
        #expect(rows.last?.ratio == nil)
    }

    @Test("runs with other options are of another kind, unless it is said that they may be compared")
    func options() async throws {
        func run(_ rate: Double, _ options: String) -> String {
            Self.run("confirm", rate: rate, options: #","options":{\#(options)}"#)
        }
        let before = run(100, "") + run(700, #""tasks":10"#)
        let after = run(800, #""queue-type":"quorum","tasks":10"#) + run(600, #""tasks":10,"persistent":true"#)
        let none = try await compare(before, after)
        #expect(none.status == 1 && none.error.contains("no run of the same mode, size and options"), "\(none)")
        #expect(none.error.contains("confirm, 100 bytes, queue-type quorum, tasks 10"), "\(none)")
        let some = try await compare(before, after, "--json", "--across", "queue-type")
        let rows = try Self.rows(some).filter { $0.figure == "rate" }
        #expect(rows.map(\.run) == ["confirm, 100 bytes, tasks 10"], "\(some)")
        #expect(rows.first?.before == 700 && rows.first?.after == 800, "\(some)")
        // The size of bodies is one of them, though it stands by itself.
        let small = #"{"mode":"confirm","rate":1,"size":10}"# + "\n"
        let sizes = try await compare(small, Self.run("confirm", rate: 2), "--json", "--across", "size")
        #expect(try Self.rows(sizes).map(\.run) == ["confirm"], "\(sizes)")
        // How long a run was makes no other; one of a time without options had none.
        let long = try await compare(
            Self.run("confirm", rate: 1),
            run(2, #""messages":9,"seconds":0.5,"warmup":2"#),
            "--json"
        )
        #expect(try Self.rows(long).first?.run == "confirm, 100 bytes", "\(long)")
    }

    @Test("an option that there is not is refused, with those that there are")
    func misspelt() async throws {
        let runs = Self.run("confirm", rate: 1, options: #","options":{"their-own":1,"queue-type":"quorum"}"#)
        let wrong = try await compare(runs, runs, "--across", "queue-type", "--across", "que-type")
        #expect(wrong.status == 64 && wrong.output.isEmpty, "\(wrong)")
        #expect(wrong.error.contains("--across que-type: there is no such option"), "\(wrong)")
        #expect(wrong.error.contains("queue-type") && wrong.error.contains("their-own"), "\(wrong)")
        // Of another client, and what makes no other run.
        let known = try await compare(runs, runs, "--across", "their-own", "--across", "messages", "--across", "tasks")
        #expect(known.status == 0, "\(known)")
    }

    @Test("of the benchmark's file, runs of the same client, broker and row; what failed is said")
    func benchmark() async throws {
        func line(_ client: String, _ target: String, _ rate: Double) -> String {
            let place = #","client":"\#(client)","target":"\#(target)","scenario":"confirm, 10 tasks","round":0"#
            return Self.run("confirm", rate: rate, options: place + #","options":{"tasks":10}"#)
        }
        let failure = #"{"client":"pika","target":"tcp","scenario":"get","mode":"get","failed":"it left"}"# + "\n"
        let before = #"{"machine":{"cores":2,"kernel":"6.1"}}"# + "\n" + line("rmq", "null", 10) + failure
        let after = line("rabbitmq-c", "null", 20) + line("rmq", "tcp", 30) + line("rmq", "null", 40)
        let outcome = try await compare(before, after, "--json")
        #expect(outcome.status == 0 && outcome.error.contains("before.json: 1 of 2 runs failed"), "\(outcome)")
        let rows = try Self.rows(outcome).filter { $0.figure == "rate" }
        #expect(rows.map(\.run) == ["rmq in null, confirm, 10 tasks: confirm, 100 bytes, tasks 10"], "\(outcome)")
        #expect(rows.first?.before == 10 && rows.first?.after == 40, "\(outcome)")
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
