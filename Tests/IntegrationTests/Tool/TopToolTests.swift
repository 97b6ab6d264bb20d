import RabbitMQ
import TestSupport
import Testing

@Suite("rmq top", .needsTool, .timeLimit(.minutes(2)))
struct TopToolTests {
    /// What a management API says of its queues, and, of what the last one says, of its nodes.
    private static let manner = answer(
        #"""
        [{"name":"idle","messages_ready":9,"messages_unacknowledged":0,"consumers":0,"message_stats":[]},
         {"name":"busy\nbee","messages_ready":1,"messages_unacknowledged":2,"consumers":3,"message_stats":{
          "publish_details":{"rate":12.34},"deliver_get_details":{"rate":11.0},"ack_details":{"rate":0.06}}},
         {"name":"last","messages_ready":9223372036854775807,"mem_alarm":true}]
        """#
    )

    /// What it says of connections, and, as it says the same to each question, of channels of the first of them.
    private static let connected = answer(
        #"""
        [{"name":"10.0.0.8:41 -> 10.0.0.1:5672","state":"running","user":"shop","channels":1,"message_stats":[],
          "connection_details":[]},
         {"name":"10.0.0.7:40 -> 10.0.0.1:5672","state":"blocked","user":"shop","channels":2,
          "user_provided_name":"orders\nof May","connection_details":{"name":"10.0.0.7:40 -> 10.0.0.1:5672"},
          "messages_unacknowledged":5,"consumer_count":1,
          "message_stats":{"publish_details":{"rate":2.5},"deliver_get_details":{"rate":1.25}}},
         {"name":"10.0.0.7:40 -> 10.0.0.1:5672 (2)","messages_unacknowledged":1,
          "connection_details":{"name":"10.0.0.7:40 -> 10.0.0.1:5672"},
          "message_stats":{"publish_details":{"rate":1.5},"ack_details":{"rate":7.5}}}]
        """#
    )

    private static func answer(_ body: String) -> RudeListener.Manner {
        .says(Array("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)".utf8))
    }

    private func top(_ listener: RudeListener, _ arguments: String...) throws -> ToolProcess {
        try ToolProcess(["top", "--management", "http://127.0.0.1:\(listener.port)"] + arguments)
    }

    @Test("shows the busiest queues first, and alarms, so often as it is told")
    func counted() async throws {
        try await RudeListener.run(Self.manner) { listener in
            let tool = try top(listener, "--count", "2", "--interval", "100ms", "--queues", "1")
            let outcome = try await within(.seconds(30), "the tool's end") { await tool.outcome() }
            #expect(outcome.hasExited && outcome.status == 0, "\(outcome)")
            let lines = outcome.output.split(separator: "\n")
            #expect(lines.count == 8 && Array(lines.prefix(4)) == Array(lines.suffix(4)), "\(outcome)")
            #expect(lines.first == "ALARM: last is low on memory", "\(outcome)")
            let busiest = #"      12.3      11.0       0.1         1         2         3  busy\nbee"#
            #expect(String(lines.last ?? "") == busiest, "\(outcome)")
            #expect(!outcome.output.contains("\u{1B}"))
            let json = await (try top(listener, "--count", "1", "--json")).outcome()
            #expect(json.output.contains(#""queue":"busy\nbee","ready":1,"unacknowledged":2"#), "\(json)")
            #expect(!json.output.contains(#""connections":"#), "\(json)")
        }
    }

    @Test("shows the busiest connections below, with what their channels do together")
    func connections() async throws {
        try await RudeListener.run(Self.connected) { listener in
            let outcome = await (try top(listener, "--count", "1", "--queues", "1", "--connections", "1")).outcome()
            #expect(outcome.hasExited && outcome.status == 0, "\(outcome)")
            let lines = outcome.output.split(separator: "\n")
            #expect(lines.count == 5 && lines.dropFirst(3).first?.hasSuffix("  connection") == true, "\(outcome)")
            let title = #"10.0.0.7:40 -> 10.0.0.1:5672, "orders\nof May", shop, blocked"#
            #expect(
                String(lines.last ?? "") == "       4.0       1.3       7.5         2         6         1  " + title,
                "\(outcome)"
            )
            let json = await (try top(listener, "--count", "1", "--json", "--connections", "9")).outcome()
            #expect(json.output.contains(#""connection":"10.0.0.7:40 -> 10.0.0.1:5672","consumers":1,"#), "\(json)")
            #expect(json.output.contains(#""state":"blocked","unacknowledged":6,"user":"shop"}"#), "\(json)")
            #expect(json.output.contains(#""connection":"10.0.0.8:41 -> 10.0.0.1:5672","#), "\(json)")
        }
    }

    @Test("refuses to show no connections")
    func none() async throws {
        let outcome = try await ToolProcess.run(["top", "--connections", "0"])
        #expect(outcome.hasExited && outcome.status == 64, "\(outcome)")
        #expect(outcome.error.contains("--connections is 0; it must be at least 1"), "\(outcome)")
    }

    @Test("ends by a signal")
    func signal() async throws {
        try await RudeListener.run(Self.manner) { listener in
            let tool = try top(listener, "--interval", "10s")
            try await eventually("it has asked") { listener.leftCount >= 2 }
            tool.interrupt()
            let outcome = try await within(.seconds(8), "the tool's end") { await tool.outcome() }
            #expect(outcome.hasExited && outcome.status == 130, "\(outcome)")
        }
    }

    @Test("ends by a signal also while it waits for an answer, as lists do")
    func unanswered() async throws {
        for arguments in [["top"], ["queue", "list"]] {
            try await RudeListener.run(.silent) { listener in
                let place = "http://127.0.0.1:\(listener.port)"
                let tool = try ToolProcess(arguments + ["--management", place])
                try await eventually("it has asked") { listener.isSpokenTo }
                tool.interrupt()
                let outcome = try await within(.seconds(8), "the tool's end") { await tool.outcome() }
                #expect(outcome.hasExited && outcome.status == 130 && outcome.output.isEmpty, "\(outcome)")
            }
        }
    }

    @Test("says what is wrong, if it is so from the beginning")
    func failure() async throws {
        try await RudeListener.run(.refuses) { listener in
            let outcome = await (try top(listener)).outcome()
            #expect(outcome.hasExited && outcome.status == 1, "\(outcome)")
            #expect(outcome.error.contains("Connection refused"), "\(outcome)")
        }
    }
}
