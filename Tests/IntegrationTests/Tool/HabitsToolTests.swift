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
}
