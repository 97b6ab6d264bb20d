import RabbitMQ
import TestSupport
import Testing

@Suite("What rmq perf leaves on a broker", .needsTool, .timeLimit(.minutes(3)))
struct PerfToolTests {
    static let modes = [
        "publish", "publish-confirm", "consume", "consume-ack", "ping-pong", "connect", "codable", "rpc", "end-to-end",
    ]

    private func perf(_ mode: String, _ arguments: String...) throws -> ToolProcess {
        try ToolProcess(
            ["perf", mode, "--uri", try TestBroker.variable("RABBITMQ_URI"), "--warmup", "10", "--json"] + arguments
        )
    }

    /// Whether there is a queue of that name, whoever owns it.
    private func exists(_ name: String) async throws -> Bool {
        do {
            try await TestBroker.withChannel { _, channel in _ = try await channel.declareQueue(name, passive: true) }
            return true
        } catch AMQPError.Code.notFound {
            return false
        } catch AMQPError.Code.resourceLocked {
            return true
        }
    }

    @Test("nothing: its queue is gone", arguments: modes)
    func nothing(mode: String) async throws {
        let name = TestBroker.uniqueName("perf")
        let outcome = try await perf(mode, "--queue", name, "--messages", "100").outcome()
        #expect(outcome.status == 0, "\(outcome)")
        #expect(outcome.output.contains("\"mode\":\"\(mode)\""))
        #expect(try await !exists(name))
    }

    static var observers: [[String]] {
        #if MetricsSupport
        let metrics = [["confirm", "--metrics"], ["handle", "--metrics"]]
        #else
        let metrics: [[String]] = []
        #endif
        #if DistributedTracingSupport
        let traces = [["publish", "--traces"], ["handle", "--traces"]]
        #else
        let traces: [[String]] = []
        #endif
        return [["publish", "--recorder", "200"], ["handle", "--recorder", "200"]] + metrics + traces
    }

    @Test("nothing, when somebody watches", arguments: observers)
    func observed(arguments: [String]) async throws {
        let name = TestBroker.uniqueName("perf")
        let usual = ["--uri", try TestBroker.variable("RABBITMQ_URI"), "--warmup", "10", "--json"]
        let tool = try ToolProcess(["perf"] + arguments + usual + ["--queue", name, "--messages", "100"])
        let outcome = await tool.outcome()
        #expect(outcome.status == 0, "\(outcome)")
        #expect(outcome.output.contains("\"messages\":100"), "\(outcome)")
        #expect(try await !exists(name))
    }

    @Test("what coding takes by itself, beside what publishing with it takes")
    func coding() async throws {
        let outcome = try await perf("codable", "--messages", "100").outcome()
        #expect(outcome.status == 0, "\(outcome)")
        for name in ["decode", "decode_alone", "encode", "encode_alone"] {
            #expect(outcome.output.contains("\"\(name)\":"), "\(outcome)")
        }
    }

    @Test("nothing, when several connections consume from one queue", arguments: ["consume", "consume-ack"])
    func shared(mode: String) async throws {
        let name = TestBroker.uniqueName("perf")
        let outcome = try await perf(
            mode,
            "--queue",
            name,
            "--messages",
            "2000",
            "--connections",
            "3",
            "--consumers",
            "6"
        ).outcome()
        #expect(outcome.status == 0, "\(outcome)")
        #expect(try await !exists(name))
    }

    @Test("nothing, of other types of queue", arguments: ["publish-confirm", "confirm", "consume-ack", "ping-pong"])
    func types(mode: String) async throws {
        for type in mode.contains("confirm") ? ["quorum", "stream"] : ["quorum"] {
            let name = TestBroker.uniqueName("perf")
            let outcome = try await perf(
                mode,
                "--queue",
                name,
                "--messages",
                "100",
                "--queue-type",
                type,
                "--persistent"
            ).outcome()
            #expect(outcome.status == 0 && outcome.output.contains("\"messages\":100,"), "\(outcome)")
            let options = #""options":{"persistent":true,"queue-type":"\#(type)""#
            #expect(outcome.output.contains(options), "\(outcome)")
            #expect(try await !exists(name))
        }
    }

    @Test("nothing, when it is interrupted", arguments: ["publish", "publish-confirm", "consume-ack", "end-to-end"])
    func interrupted(mode: String) async throws {
        for (signal, status) in [(ToolProcess.interrupt, 130), (ToolProcess.terminate, 143)] {
            // By two connections where it can be: that queue must be deleted, an exclusive one is by itself.
            let name = TestBroker.uniqueName("perf")
            let tool = try perf(mode, "--queue", name, "--messages", "100000000", "--connections", "2")
            try await eventually("the tool's queue", within: .seconds(30)) { try await exists(name) }
            signal(tool)()
            let outcome = try await within(.seconds(60), "the tool's end") { await tool.outcome() }
            #expect(outcome.hasExited && outcome.status == Int32(status), "\(outcome)")
            try await eventually("the end of the tool's queue") { try await !exists(name) }
        }
    }

    @Test("nothing, when something fails", arguments: ["publish", "consume-ack"])
    func failure(mode: String) async throws {
        let name = TestBroker.uniqueName("perf")
        // More channels than a connection can have.
        let outcome = try await perf(mode, "--queue", name, "--messages", "1", "--channels", "60000").outcome()
        #expect(outcome.status == 1, "\(outcome)")
        #expect(outcome.error.contains("tooManyChannels"), "\(outcome)")
        let missing = try await perf("publish", "--queue", name, "--exchange", name, "--leave-messages").outcome()
        #expect(missing.status == 1)
        #expect(missing.error.contains("notFound"), "\(missing)")
        #expect(try await !exists(name))
    }

    @Test("a queue that exists as it was, whether or not it could be used")
    func untouched() async throws {
        for arguments in [QueueArguments(type: .classic), QueueArguments(type: .quorum)] {
            try await Scratch.use { scratch, _, channel in
                let queue = try await channel.declareQueue(scratch.queue("real"), arguments: arguments)
                try await channel.selectConfirms()
                for number in 0..<5 {
                    try await channel.defaultExchange.publish(Message("\(number)"), routingKey: queue.name).confirmed()
                }
                for mode in Self.modes where mode != "connect" {
                    let hasOne = ["ping-pong", "codable", "rpc"].contains(mode)
                    for connections in hasOne ? ["1"] : ["1", "2"] {
                        let tool = try perf(
                            mode,
                            "--queue",
                            queue.name,
                            "--messages",
                            "9",
                            "--connections",
                            connections
                        )
                        let outcome = await tool.outcome()
                        #expect(outcome.hasExited && outcome.status == 1, "\(outcome)")
                        #expect(outcome.error.contains("exists"), "\(outcome)")
                        #expect(outcome.error.contains("--use-existing"), "\(outcome)")
                    }
                }
                let aside = await (try perf("publish", "--routing-key", queue.name, "--messages", "9")).outcome()
                #expect(aside.status == 1)
                #expect(aside.error.contains("--leave-messages"), "\(aside)")
                #expect(try await queue.readyCount() == 5)
                #expect(try await queue.next().text() == "0")
            }
        }
    }

    @Test("what it was told to, and told again, in a queue that exists")
    func toldTwice() async throws {
        try await Scratch.use { scratch, _, channel in
            let queue = try await channel.declareQueue(scratch.queue("real"))
            let existing = ["--queue", queue.name, "--use-existing"]
            func perf(_ mode: String, _ arguments: String...) async throws {
                let uri = ["--uri", try TestBroker.variable("RABBITMQ_URI"), "--warmup", "0", "--messages", "50"]
                let outcome = try await ToolProcess.run(["perf", mode] + uri + arguments)
                #expect(outcome.status == 0, "\(outcome)")
            }
            try await perf("publish", existing[0], existing[1], existing[2], "--leave-messages")
            try await eventually("50 messages") { try await queue.readyCount() == 50 }
            try await perf("publish-confirm", "--routing-key", queue.name, "--leave-messages")
            try await eventually("100 messages") { try await queue.readyCount() == 100 }
            try await perf("consume-ack", existing[0], existing[1], existing[2], "--eat-messages")
            try await eventually("50 messages again") { try await queue.readyCount() == 50 }
            try await perf("ping-pong", existing[0], existing[1], existing[2], "--eat-messages")
            #expect(try await exists(queue.name))
        }
    }

    @Test("no queue that is missing where one was to be used")
    func missing() async throws {
        let name = TestBroker.uniqueName("perf")
        let outcome = try await perf("publish", "--queue", name, "--use-existing", "--leave-messages").outcome()
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("There is no queue \(name)"), "\(outcome)")
        #expect(try await !exists(name))
    }
}
