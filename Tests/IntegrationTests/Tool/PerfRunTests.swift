import RabbitMQ
import TestSupport
import Testing

@Suite("What rmq perf measures", .needsTool, .timeLimit(.minutes(3)))
struct PerfRunTests {
    private func perf(_ mode: String, _ arguments: String...) async throws -> ToolProcess.Outcome {
        let uri = ["--uri", try TestBroker.variable("RABBITMQ_URI"), "--warmup", "10", "--json"]
        let tool = try ToolProcess(["perf", mode] + uri + arguments)
        return try await within(.seconds(100), "the tool's end") { await tool.outcome() }
    }

    @Test("latencies, with their upper percentiles", arguments: ["ping-pong", "confirm", "get", "rpc", "connect"])
    func latencies(mode: String) async throws {
        let outcome = try await perf(mode, "--messages", "50")
        #expect(outcome.status == 0, "\(outcome)")
        #expect(outcome.output.contains("\"messages\":50,"), "\(outcome)")
        for name in ["max", "p50", "p99", "p999"] { #expect(outcome.output.contains("\"\(name)\":"), "\(outcome)") }
    }

    @Test("as many calls as are asked for, by several tasks", arguments: ["confirm", "rpc"])
    func tasks(mode: String) async throws {
        let outcome = try await perf(mode, "--messages", "503", "--tasks", "100")
        #expect(outcome.status == 0 && outcome.output.contains("\"messages\":503,"), "\(outcome)")
    }
}
