import Foundation
import RabbitMQ
import TestSupport
import Testing

@Suite("rmq move, copy, peek, get and count", .needsTool, .timeLimit(.minutes(3)))
struct MoveToolTests {
    /// A queue with messages whose bodies are numbers.
    private func filled(
        _ count: Int,
        _ scratch: Scratch,
        _ channel: Channel,
        type: QueueType = .classic
    ) async throws -> Queue {
        let queue = try await channel.declareQueue(scratch.queue(), arguments: QueueArguments(type: type))
        for number in 0..<count {
            try await queue.publish(
                Message("\(number)", headers: ["third": .bool(number % 3 == 0)], messageID: "m\(number)")
            )
        }
        try await eventually("\(count) messages") { try await queue.readyCount() == count }
        return queue
    }

    @Test("move what matches, and leave the rest in order")
    func move() async throws {
        try await Scratch.use { scratch, _, channel in
            let queue = try await filled(300, scratch, channel)
            let other = try await channel.declareQueue(scratch.queue())
            let outcome = try await ToolProcess.run(["move", queue.name, other.name, "--header", "third=true"])
            #expect(outcome.status == 0, "\(outcome)")
            #expect(outcome.output.contains("moved 100\n"), "\(outcome)")
            #expect(try await other.drain() == (0..<300).filter { $0 % 3 == 0 }.map { "\($0)" })
            try await eventually("the rest") { try await queue.readyCount() == 200 }
            #expect(try await queue.drain() == (0..<300).filter { $0 % 3 != 0 }.map { "\($0)" })
        }
    }

    @Test("how far long work is, on a terminal")
    func progress() async throws {
        // A terminal of its own.
        let terminal = #"exec script -qec "$(printf '%q ' "$0" "$@")" /dev/null"#
        try await Scratch.use { scratch, _, channel in
            let queue = try await filled(40, scratch, channel)
            let other = try await channel.declareQueue(scratch.queue())
            let moved = try await Subprocess.limited(terminal, "rmq", "move", queue.name, other.name, "--rate", "20")
            #expect(moved.contains(" of 40 looked at") && moved.contains("moved 40"), "\(moved)")
            let sent = try await Subprocess.limited(
                terminal,
                "rmq",
                "publish",
                "--queue",
                queue.name,
                "--count",
                "30",
                "--rate",
                "20",
                "x"
            )
            #expect(sent.contains("30 published, 30 confirmed"), "\(sent)")
            // A line, and what takes it away.
            #expect(sent.split(separator: "\u{1B}").count > 2, "\(sent)")
        }
    }

    @Test("move from a queue that deletes itself, which stays with what does not match")
    func selfDeleting() async throws {
        try await Scratch.use { scratch, _, channel in
            let queue = try await channel.declareQueue(scratch.queue(), autoDelete: true)
            let other = try await channel.declareQueue(scratch.queue())
            for number in 0..<50 {
                try await queue.publish(Message("\(number)", headers: ["third": .bool(number % 3 == 0)]))
            }
            try await eventually("all of them") { try await queue.readyCount() == 50 }
            let outcome = try await ToolProcess.run(["move", queue.name, other.name, "--header", "third=true"])
            #expect(outcome.status == 0 && outcome.output.contains("moved 17\n"), "\(outcome)")
            try await eventually("the rest") { try await queue.readyCount() == 33 }
        }
    }

    @Test("copy to a queue, which leaves all where it is", arguments: [QueueType.classic, .quorum])
    func copy(type: QueueType) async throws {
        try await Scratch.use { scratch, _, channel in
            let queue = try await filled(150, scratch, channel, type: type)
            let other = try await channel.declareQueue(scratch.queue())
            let outcome = try await ToolProcess.run(["copy", queue.name, other.name, "--to-uri", TestBroker.uri])
            #expect(outcome.status == 0, "\(outcome)")
            let all = (0..<150).map { "\($0)" }
            #expect(try await other.drain() == all)
            try await eventually("all of it") { try await queue.readyCount() == 150 }
            #expect(try await queue.drain().inOrder(of: type) == all.inOrder(of: type))
        }
    }

    private struct Report: Decodable {
        struct Destination: Decodable {
            var routingKey: String
            var messages: Int

            private enum CodingKeys: String, CodingKey {
                case messages
                case routingKey = "routing_key"
            }
        }

        var sent: Int
        var destinations: [Destination]
    }

    @Test("as many routing keys as messages: those beyond a thousand count together")
    func manyKeys() async throws {
        try await Scratch.use { scratch, _, channel in
            let queue = try await channel.declareQueue(scratch.queue())
            let source = try await channel.declareExchange(scratch.exchange(), type: .fanout)
            try await queue.bind(to: source, routingKey: "")
            for number in 0..<1005 { try await source.publish(Message("x"), routingKey: "key.\(number)") }
            try await eventually("the messages") { try await queue.readyCount() == 1005 }
            let outcome = try await ToolProcess.run(
                ["copy", queue.name, "--exchange", source.name, "--dry-run", "--json"]
            )
            #expect(outcome.status == 0, "\(outcome.error)")
            let report = try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
            #expect(report.sent == 1005 && report.destinations.count == 1001)
            let others = report.destinations.filter { $0.routingKey == "(others)" }
            #expect(others.count == 1 && others.first?.messages == 5)
        }
    }

    @Test("move nothing where the other queue is full, missing or the same")
    func refused() async throws {
        try await Scratch.use { scratch, _, channel in
            let queue = try await filled(5, scratch, channel)
            let full = try await channel.declareQueue(
                scratch.queue(),
                arguments: QueueArguments(maxLength: 2, overflow: .rejectPublish)
            )
            let outcome = try await ToolProcess.run(["move", queue.name, full.name])
            #expect(outcome.status == 1, "\(outcome)")
            #expect(outcome.output.contains("the broker refused it"), "\(outcome)")
            #expect(try await full.readyCount() + queue.readyCount() == 5)
            let missing = try await ToolProcess.run(["move", queue.name, "test.nowhere"])
            #expect(missing.status == 1 && missing.error.contains("no queue 'test.nowhere'"), "\(missing)")
            let same = try await ToolProcess.run(["move", queue.name, queue.name])
            #expect(same.status == 64, "\(same)")
            #expect(try await full.readyCount() + queue.readyCount() == 5)
        }
    }

    @Test("peek shows the first messages, which stay in order", arguments: [QueueType.classic, .quorum])
    func peek(type: QueueType) async throws {
        try await Scratch.use { scratch, _, channel in
            let queue = try await filled(30, scratch, channel, type: type)
            let outcome = try await ToolProcess.run(
                ["peek", queue.name, "--count", "4", "--header", "third=true", "--format", #"%n %i %h{third}\n"#]
            )
            #expect(outcome.status == 0, "\(outcome)")
            #expect(outcome.output == "1 m0 true\n2 m3 true\n3 m6 true\n4 m9 true\n")
            let details = try await ToolProcess.run(["peek", queue.name, "--count", "30"])
            #expect(details.output.contains("#1 \(queue.name): "), "\(details)")
            #expect(details.output.contains("  message id: m9\n"), "\(details)")
            try await eventually("all of it") { try await queue.readyCount() == 30 }
            #expect(try await queue.drain().inOrder(of: type) == (0..<30).map { "\($0)" }.inOrder(of: type))
            let empty = try await ToolProcess.run(["peek", queue.name])
            #expect(empty.status == 3 && empty.error.contains("is empty"), "\(empty)")
        }
    }

    @Test("peek loses nothing, killed at any moment")
    func peekKilled() async throws {
        try await Scratch.use { scratch, _, channel in
            let queue = try await filled(400, scratch, channel)
            for _ in 0..<8 {
                let tool = try ToolProcess(["peek", queue.name, "--count", "400", "--json"])
                try await Task.sleep(for: .milliseconds(.random(in: 50...150)))
                tool.kill()
                _ = await tool.outcome()
            }
            try await eventually("all of it") { try await queue.readyCount() == 400 }
            #expect(try await queue.drain() == (0..<400).map { "\($0)" })
        }
    }

    @Test("get takes messages, and count counts them")
    func get() async throws {
        try await Scratch.use { scratch, _, channel in
            let queue = try await filled(6, scratch, channel)
            let outcome = try await ToolProcess.run(["get", queue.name, "--count", "2", "--json"])
            #expect(outcome.status == 0, "\(outcome)")
            let lines = outcome.output.split(separator: "\n")
            #expect(lines.count == 2)
            #expect(lines.first?.contains(#""body":"0""#) == true, "\(outcome)")
            #expect(lines.first?.contains(#""headers":{"third":true}"#) == true, "\(outcome)")
            let count = try await ToolProcess.run(["count", queue.name])
            #expect(count.output == "4\n", "\(count)")
            let rejected = try await ToolProcess.run(["get", queue.name, "--count", "9", "--reject"])
            #expect(rejected.output == "2\n3\n4\n5\n", "\(rejected)")
            let none = try await ToolProcess.run(["get", queue.name])
            #expect(none.status == 3, "\(none)")
            let missing = try await ToolProcess.run(["count", "test.nowhere"])
            #expect(missing.status == 1 && missing.error.contains("Queue names are exact"), "\(missing)")
        }
    }

    @Test("move says that others have taken a part, and ends with 1")
    func beside() async throws {
        try await Scratch.use { scratch, _, channel in
            let queue = try await filled(200, scratch, channel)
            let other = try await channel.declareQueue(scratch.queue())
            let tool = try ToolProcess(["move", queue.name, other.name, "--rate", "20"])
            try await eventually("the first message") { try await other.readyCount() > 0 }
            let taken = try await queue.drain().count
            #expect(taken > 0)
            let outcome = try await within(.seconds(60), "the tool's end") { await tool.outcome() }
            #expect(outcome.hasExited && outcome.status == 1, "\(outcome)")
            #expect(outcome.output.contains("\(taken) were not seen"), "\(outcome)")
            #expect(outcome.output.contains("moved \(200 - taken)\n"), "\(outcome)")
        }
    }
}
