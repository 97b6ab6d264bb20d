import Foundation
import RabbitMQ
import TestSupport
import Testing

@Suite("What rmq perf measures", .needsTool, .timeLimit(.minutes(3)))
struct PerfRunTests {
    private func perf(_ mode: String, _ arguments: String...) async throws -> ToolProcess.Outcome {
        try await perf(mode, arguments)
    }

    private func perf(_ mode: String, _ arguments: [String]) async throws -> ToolProcess.Outcome {
        let uri = ["--uri", try TestBroker.variable("RABBITMQ_URI"), "--warmup", "10", "--json"]
        let tool = try ToolProcess(["perf", mode] + uri + arguments)
        return try await within(.seconds(100), "the tool's end") { await tool.outcome() }
    }

    @Test(
        "latencies, with their upper percentiles",
        arguments: ["ping-pong", "confirm", "get", "rpc", "connect", "declare"]
    )
    func latencies(mode: String) async throws {
        let outcome = try await perf(mode, "--messages", "50")
        #expect(outcome.status == 0, "\(outcome)")
        #expect(outcome.output.contains("\"messages\":50,"), "\(outcome)")
        for name in ["max", "p50", "p99", "p999"] { #expect(outcome.output.contains("\"\(name)\":"), "\(outcome)") }
    }

    @Test("as many calls as are asked for, by several tasks", arguments: ["confirm", "rpc", "declare"])
    func tasks(mode: String) async throws {
        let outcome = try await perf(mode, "--messages", "503", "--tasks", "100")
        #expect(outcome.status == 0 && outcome.output.contains("\"messages\":503,"), "\(outcome)")
    }

    @Test("the process's memory and threads, before it connects and at the end")
    func processStatus() async throws {
        let outcome = try await perf("publish", "--messages", "50")
        struct Status: Decodable {
            var rssMb: Double
            var baseRssMb: Double
            var threads: Int
            var baseThreads: Int
        }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let status = try decoder.decode(Status.self, from: Data(outcome.output.utf8))
        #expect(status.baseRssMb > 1 && status.rssMb > status.baseRssMb, "\(status)")
        #expect(status.baseThreads > 0 && status.threads > 0, "\(status)")
    }

    @Test("each confirm by itself, if it is asked to")
    func oneAtATime() async throws {
        let outcome = try await perf("publish-confirm", "--messages", "50", "--one-at-a-time")
        #expect(outcome.status == 0 && outcome.output.contains("\"mode\":\"publish-confirm\""), "\(outcome)")
        #expect(outcome.output.contains("\"p99\":"), "\(outcome)")
        let refused = try await perf("publish", "--messages", "50", "--one-at-a-time")
        #expect(refused.status != 0 && refused.error.contains("--one-at-a-time"), "\(refused)")
    }

    @Test("every message that callbacks handle, several at a time")
    func handled() async throws {
        let outcome = try await perf("handle", "--messages", "503", "--tasks", "10")
        #expect(outcome.status == 0 && outcome.output.contains("\"messages\":503,"), "\(outcome)")
    }

    @Test("nothing more when the queue is gone", arguments: ["consume", "handle"])
    func cancelled(mode: String) async throws {
        try await Scratch.use { scratch, _, channel in
            let queue = try await channel.declareQueue(
                scratch.queue(),
                arguments: QueueArguments(singleActiveConsumer: true)
            )
            // What comes is all for this one.
            let deliveries = try await queue.consume(.noAck)
            async let outcome = perf(
                mode,
                "--queue",
                queue.name,
                "--use-existing",
                "--eat-messages",
                "--messages",
                "10"
            )
            try await eventually("the tool's consumer") {
                try await channel.declareQueue(queue.name, passive: true).consumerCount == 2
            }
            try await queue.delete(ifUnused: false, ifEmpty: false)
            let ended = try await outcome
            #expect(ended.hasExited && ended.status == 1 && ended.error.lowercased().contains("cancelled"), "\(ended)")
            #expect(!ended.error.contains("It hangs"), "\(ended)")
            // It has ended as well.
            try? await deliveries.consumer.cancel()
        }
    }

    @Test("the seconds of connections that do nothing")
    func idle() async throws {
        let result = try figures(try await perf("idle", "--connections", "3", "--seconds", "1"))
        #expect(result.messages == 3 && result.seconds >= 1, "\(result)")
    }

    @Test("no delay at a broker that can't tell, and says so")
    func delay() async throws {
        let outcome = try await perf("delay", "--messages", "5")
        #expect(outcome.hasExited && outcome.status == 1 && outcome.output.isEmpty, "\(outcome)")
        #expect(outcome.error.contains("null.delay."), "\(outcome)")
        let small = try await perf("delay", "--size", "15")
        #expect(small.status != 0 && small.error.contains("at least 16"), "\(small)")
    }

    private struct Figures: Decodable {
        var messages: Int
        var seconds: Double
    }

    private func figures(_ outcome: ToolProcess.Outcome) throws -> Figures {
        #expect(outcome.hasExited && outcome.status == 0, "\(outcome)")
        return try JSONDecoder().decode(Figures.self, from: Data(outcome.output.utf8))
    }

    @Test(
        "for so many seconds, and says how many messages that were",
        arguments: ["publish", "publish-confirm", "confirm", "ping-pong", "rpc", "codable", "connect"]
    )
    func seconds(mode: String) async throws {
        let work = mode.hasPrefix("publish") ? ["--work", "5"] : []
        let outcome = try await perf(mode, ["--seconds", "0.5"] + work)
        let result = try figures(outcome)
        #expect(result.messages > 0 && result.seconds >= 0.5 && result.seconds < 60, "\(result)")
    }

    @Test("no longer than it may, though not all is consumed", arguments: ["consume", "consume-ack", "handle", "get"])
    func shortened(mode: String) async throws {
        let more = mode == "get" ? [] : ["--work", "100", "--consumers", "2"]
        let outcome = try await perf(mode, ["--seconds", "0.2", "--messages", "20000"] + more)
        let result = try figures(outcome)
        #expect(result.messages > 0 && result.messages < 20_000 && result.seconds >= 0.2, "\(result)")
    }

    @Test("nothing that hangs, but says so")
    func hanging() async throws {
        try await Scratch.use { scratch, _, channel in
            let queue = try await channel.declareQueue(
                scratch.queue(),
                arguments: QueueArguments(singleActiveConsumer: true)
            )
            // What comes is all for this one.
            let deliveries = try await queue.consume(.noAck)
            let outcome = try await perf(
                "ping-pong",
                "--queue",
                queue.name,
                "--use-existing",
                "--eat-messages",
                "--hang-after",
                "1s"
            )
            #expect(outcome.hasExited && outcome.status == 1 && outcome.output.isEmpty, "\(outcome)")
            #expect(outcome.error.contains("It hangs: after 0 messages"), "\(outcome)")
            try await deliveries.consumer.cancel()
        }
    }

    @Test("what connects for longer than a run may hang")
    func manyConnections() async throws {
        let many = ["--connections", "300", "--messages", "300"]
        let outcome = try await perf("publish", many[0], many[1], many[2], many[3], "--hang-after", "2s")
        #expect(outcome.status == 0 && outcome.output.contains("\"messages\":300,"), "\(outcome)")
    }

    @Test("several hosts, which connections are spread over", arguments: ["publish-confirm", "connect"])
    func hosts(mode: String) async throws {
        let (host, port) = (try TestBroker.host, try ConnectionConfiguration(uri: TestBroker.uri).port)
        let place = "\(host.contains(":") ? "[\(host)]" : host):\(port)"
        let many = ["--messages", "20"] + (mode == "connect" ? [] : ["--connections", "2"])
        let both = try await perf(mode, many + ["--host", place, "--host", place])
        #expect(both.status == 0 && both.output.contains("\"messages\":20,"), "\(both)")
        // Nobody listens there, and the second connection is its turn.
        let gone = try await perf(mode, many + ["--host", place, "--host", "127.0.0.1:1"])
        #expect(gone.status == 1 && gone.error.contains("127.0.0.1, port 1"), "\(gone)")
    }

    @Test("no more messages a second than it may have", arguments: ["publish", "publish-confirm"])
    func paced(mode: String) async throws {
        let outcome = try await perf(mode, "--messages", "60", "--rate", "100", "--channels", "2")
        let result = try figures(outcome)
        // What is not made up for is a tenth of a second.
        #expect(result.messages == 60 && result.seconds > 0.4, "\(result)")
    }
}
