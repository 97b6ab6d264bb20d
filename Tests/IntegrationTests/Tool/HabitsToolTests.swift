import RabbitMQ
import TestSupport
import Testing

@Suite("The habits of rmq", .needsTool, .timeLimit(.minutes(2)))
struct HabitsToolTests {
    @Test("what is shown neither controls a terminal nor turns the direction of writing round")
    func harmless() async throws {
        try await Scratch.use { scratch, _, channel in
            let queue = try await channel.declareQueue(scratch.queue())
            try await queue.publish(Message("a\u{202E}b\u{1B}[2Jc\u{2066}d", headers: ["h": "\u{200F}x"]))
            try await eventually("the message") { try await queue.readyCount() == 1 }
            let details = try await ToolProcess.run(["peek", queue.name])
            #expect(details.output.contains(#"a\u{202E}b\u{1B}[2Jc\u{2066}d"#), "\(details)")
            #expect(details.output.contains(#"header h: \u{200F}x"#), "\(details)")
        }
    }

    @Test("a message does nothing to a terminal, and is written as it is elsewhere")
    func screen() async throws {
        // A terminal of its own.
        let terminal = #"exec script -qec "$(printf '%q ' "$0" "$@")" /dev/null"#
        let body = "a\u{1B}[2Jb"
        try await Scratch.use { scratch, _, channel in
            let queue = try await channel.declareQueue(scratch.queue())
            for _ in 0..<2 { try await queue.publish(Message(body)) }
            try await eventually("the messages") { try await queue.readyCount() == 2 }
            let shown = try await Subprocess.limited(terminal, "rmq", "get", queue.name)
            #expect(shown.contains(#"a\u{1B}[2Jb"#) && !shown.contains(body), "\(shown)")
            let piped = try await ToolProcess.run(["get", queue.name])
            #expect(piped.output == body + "\n", "\(piped)")
        }
    }

    @Test("what the library refuses of the arguments ends with 64, what the broker refuses with 1")
    func refusals() async throws {
        let long = String(repeating: "x", count: 300)
        for arguments in [
            ["queue", "declare", "amq.mine"], ["exchange", "declare", "amq.mine", "--type", "topic"],
            ["publish", "--queue", long, "x"], ["publish", "--exchange", "", "-k", "x", "y", "--message-id", long],
        ] {
            let outcome = try await ToolProcess.run(arguments)
            #expect(outcome.hasExited && outcome.status == 64, "\(arguments): \(outcome)")
            #expect(outcome.error.contains("Error: "), "\(outcome)")
        }
        let refused = try await ToolProcess.run(["queue", "purge", "test.nowhere"])
        #expect(refused.hasExited && refused.status == 1, "\(refused)")
        let line = #"{"body":"x","message_id":"\#(long)"}"#
        let input = try await ToolProcess.run(["publish", "--queue", "q", "--ndjson"], input: "\n\(line)\n")
        #expect(input.status == 1 && input.error.contains("Line 2 can't be published"), "\(input)")
    }

    @Test("publish counts each message once, also where the channel is lost")
    func countedOnce() async throws {
        let name = TestBroker.uniqueName("nowhere")
        // Each is waited for before the next.
        let outcome = try await ToolProcess.run(["publish", "--exchange", name, "x", "--rate", "100", "--json"])
        #expect(outcome.hasExited && outcome.status == 1, "\(outcome)")
        #expect(outcome.output.contains(#""published":1,"#) && outcome.output.contains(#""unknown":1}"#), "\(outcome)")
    }

    @Test("publish --no-confirm counts what comes back, and notices what the broker refuses")
    func unconfirmed() async throws {
        let name = TestBroker.uniqueName("nowhere")
        let back = try await ToolProcess.run(["publish", "--queue", name, "x", "--count", "300", "--no-confirm"])
        #expect(back.status == 1, "\(back)")
        #expect(back.output == "300 published, 300 came back: no queue gets them\n", "\(back)")
        let missing = try await ToolProcess.run(["publish", "--exchange", name, "x", "--no-confirm"])
        #expect(missing.status == 1 && missing.error.contains("no exchange '\(name)'"), "\(missing)")
        let ignored = try await ToolProcess.run(
            ["publish", "--queue", name, "x", "--no-confirm", "--may-be-unroutable"]
        )
        #expect(ignored.status == 0 && ignored.output == "1 published\n", "\(ignored)")
    }

    @Test("publish --wait is a time, and for confirms")
    func waiting() async throws {
        for wrong in [["--wait", "0s"], ["--wait", "soon"], ["--wait", "1s", "--no-confirm"]] {
            let outcome = try await ToolProcess.run(["publish", "--queue", "q", "x"] + wrong)
            #expect(outcome.status == 64 && outcome.error.contains("--wait"), "\(outcome)")
        }
        try await Scratch.use { scratch, _, channel in
            let queue = try await channel.declareQueue(scratch.queue())
            let outcome = try await ToolProcess.run(["publish", "--queue", queue.name, "x", "--wait", "60s"])
            #expect(outcome.status == 0 && outcome.output == "1 published, 1 confirmed\n", "\(outcome)")
        }
    }

    @Test("what is wrong when a command runs is told without its usage")
    func runtime() async throws {
        let outcome = try await ToolProcess.run(["queue", "list"], environment: ["RABBITMQ_URI": try TestBroker.uri])
        #expect(outcome.status == 64 && outcome.error.contains("the management API"), "\(outcome)")
        #expect(!outcome.error.contains("Usage:"), "\(outcome)")
    }
}
