import Foundation
import RabbitMQ
import TestSupport
import Testing

@Suite("rmq perf end-to-end", .needsTool, .timeLimit(.minutes(3)))
struct EndToEndToolTests {
    private struct Report: Decodable {
        struct Latency: Decodable {
            var p50: Double
            var max: Double
        }

        struct Load: Decodable {
            struct Point: Decodable {
                var seconds: Double
                var published: Int
                var received: Int
            }

            var published: Int
            var queueType: String
            var points: [Point]
        }

        var messages: Int
        var size: Int
        var seconds: Double
        var threads: Int
        var latencyUs: Latency
        var endToEnd: Load
    }

    private func perf(_ arguments: [String], json: Bool = true) async throws -> ToolProcess.Outcome {
        let uri = ["--uri", try TestBroker.variable("RABBITMQ_URI"), "--warmup", "10"] + (json ? ["--json"] : [])
        let tool = try ToolProcess(["perf", "end-to-end"] + uri + arguments)
        let outcome = try await within(.seconds(100), "the tool's end") { await tool.outcome() }
        #expect(outcome.hasExited && outcome.status == 0, "\(outcome)")
        return outcome
    }

    private func report(_ outcome: ToolProcess.Outcome) throws -> Report {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Report.self, from: Data(outcome.output.utf8))
    }

    @Test("what producers publish comes to consumers, of a stream to each", arguments: ["classic", "quorum", "stream"])
    func together(type: String) async throws {
        let outcome = try await perf([
            "--messages", "301", "--producers", "3", "--consumers", "2", "--connections", "2", "--queue-type", type,
            "--sizes", "0:3,1k-3k",
        ])
        let report = try report(outcome)
        #expect(report.endToEnd.published == 301 && report.endToEnd.queueType == type, "\(report)")
        #expect(report.messages == (type == "stream" ? 602 : 301) && report.threads > 0, "\(report)")
        #expect(report.size == 512 && report.latencyUs.p50 > 0 && report.latencyUs.max >= report.latencyUs.p50)
        let points = report.endToEnd.points
        #expect(points.reduce(0) { $0 + $1.published } == 301, "\(report)")
        #expect(points.reduce(0) { $0 + $1.received } == report.messages, "\(report)")
    }

    @Test("a ramp says how many messages there are, and when it is over")
    func ramp() async throws {
        let report = try report(try await perf(["--ramp", "0:300ms,100:500ms,100-300:500ms", "--producers", "2"]))
        // What is late by more than a tenth of a second is not made up for.
        let published = report.endToEnd.published
        #expect(published > 0 && published <= 150 && report.messages == published, "\(report)")
        #expect(report.seconds > 0.8, "\(report)")
    }

    @Test("no more messages a second than it may have, for no longer than it may")
    func paced() async throws {
        let few = try report(try await perf(["--messages", "60", "--rate", "100", "--producers", "3"]))
        #expect(few.messages == 60 && few.seconds > 0.4, "\(few)")
        let short = try report(try await perf(["--seconds", "0.5", "--rate", "100"]))
        #expect(short.endToEnd.published > 0 && short.endToEnd.published <= 51, "\(short)")
        let slow = try report(try await perf(["--seconds", "0.4", "--rate", "1"]))
        #expect(slow.endToEnd.published == 0 && slow.seconds >= 0.4 && slow.seconds < 30, "\(slow)")
    }

    @Test("a run ends that nobody waits for any more", arguments: ["end-to-end", "publish"])
    func unread(mode: String) async throws {
        do {
            // Nothing tells the tool that the reader of its output has ended.
            _ = try await Subprocess.limited(
                "exec > >(true)",
                "rmq",
                "perf",
                mode,
                "--uri",
                try TestBroker.variable("RABBITMQ_URI"),
                "--rate",
                "20",
                "--seconds",
                "1000"
            )
            Issue.record("nothing was wrong with it")
        } catch let failure as Subprocess.Failed {
            #expect(failure.description.contains(" 141: "), "\(failure)")
        }
    }

    @Test("for people, there is a table")
    func table() async throws {
        let outcome = try await perf(["--messages", "20"], json: false)
        for row in ["latency, median", "most waiting", "rate of publishing"] {
            #expect(outcome.output.contains(row), "\(outcome)")
        }
    }

    @Test("a chart shows rates and latencies", arguments: ["svg", "html"])
    func chart(kind: String) async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).\(kind)")
        defer { try? FileManager.default.removeItem(at: file) }
        _ = try await perf(["--messages", "50", "--rate", "100", "--chart", file.path])
        let text = String(decoding: try Data(contentsOf: file), as: UTF8.self)
        #expect(text.hasPrefix(kind == "svg" ? "<svg " : "<!doctype html>"))
        #expect(text.split(separator: "\n").count { $0.hasPrefix("<polyline points=\"") } == 4)
        for word in ["published", "received", "median", "99 %"] { #expect(text.contains(">\(word)<")) }
        for wrong in ["nan", "inf"] { #expect(!text.contains(wrong)) }
        if kind == "html" { #expect(text.contains("rate of publishing")) }
    }

    @Test("a queue that exists is used when that is asked for twice, and stays")
    func existing() async throws {
        try await Scratch.use { scratch, _, channel in
            let queue = try await channel.declareQueue(scratch.queue("real"))
            try await channel.selectConfirms()
            // What runs that were killed have left there: of their warm-up, and after it.
            for stamp in ["@", "@1", "@zzz", "@zzz1"] {
                let left = try Message("not its own", messageID: stamp)
                try await channel.defaultExchange.publish(left, routingKey: queue.name).confirmed()
            }
            let outcome = try await perf([
                "--queue", queue.name, "--use-existing", "--leave-messages", "--eat-messages", "--messages", "50",
            ])
            #expect(try report(outcome).messages == 50)
            try await eventually("an empty queue") { try await queue.readyCount() == 0 }
        }
    }
}
