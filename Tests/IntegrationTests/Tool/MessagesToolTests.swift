import Foundation
import RabbitMQ
import TestSupport
import Testing

@Suite("rmq publish, consume, tail, request and serve", .needsTool, .timeLimit(.minutes(3)))
struct MessagesToolTests {
    @Test("publish sends an argument, lines and standard input, with properties, confirmed")
    func publish() async throws {
        try await Scratch.use { scratch, _, channel in
            let queue = try await channel.declareQueue(scratch.queue())
            func publish(_ arguments: String..., input: String? = nil) async throws -> ToolProcess.Outcome {
                try await ToolProcess.run(["publish", "--queue", queue.name] + arguments, input: input)
            }
            let one = try await publish(
                "hello",
                "-H",
                "attempt:=3",
                "-H",
                "who=me",
                "--priority",
                "4",
                "--message-id",
                "m1",
                "--type",
                "greeting",
                "--expiration",
                "1h",
                "--correlation-id",
                "c",
                "--reply-to",
                "r",
                "--app-id",
                "a",
                "--timestamp",
                "1700000000"
            )
            #expect(one.status == 0 && one.output == "1 published, 1 confirmed\n", "\(one)")
            let message = try await queue.next()
            #expect(try message.text() == "hello")
            #expect(message.headers == ["attempt": 3, "who": "me"])
            #expect(message.deliveryMode == .persistent && message.priority == 4 && message.expiration == "3600000")
            #expect(message.messageID == "m1" && message.type == "greeting" && message.correlationID == "c")
            #expect(message.replyTo == "r" && message.appID == "a" && message.timestamp?.timeIntervalSince1970 == 1.7e9)
            let lines = try await publish("--lines", input: "a\nb\n\nc")
            #expect(lines.output == "4 published, 4 confirmed\n", "\(lines)")
            #expect(try await queue.drain() == ["a", "b", "", "c"])
            let foreign = try await publish("--lines", input: "a\r\n\r\nb\rc\r\n")
            #expect(foreign.output == "3 published, 3 confirmed\n", "\(foreign)")
            #expect(try await queue.drain() == ["a", "", "b\rc"])
            let whole = try await publish("--no-persistent", "--no-confirm", input: "a\nb")
            #expect(whole.output == "1 published\n", "\(whole)")
            let last = try await queue.next()
            #expect(try last.text() == "a\nb" && last.deliveryMode == .transient)
            let many = try await publish("x", "--count", "2500", "--json")
            #expect(many.output.contains(#""confirmed":2500,"published":2500"#), "\(many)")
            #expect(try await queue.purge() == 2500)
        }
    }

    @Test("publish says what came back, and what was refused")
    func unroutable() async throws {
        try await Scratch.use { scratch, _, channel in
            let back = try await ToolProcess.run(["publish", "--queue", "test.nowhere", "x"])
            #expect(back.status == 1 && back.output.contains("1 came back: no queue gets them"), "\(back)")
            let left = try await ToolProcess.run(["publish", "--queue", "test.nowhere", "x", "--may-be-unroutable"])
            #expect(left.status == 0, "\(left)")
            let full = try await channel.declareQueue(
                scratch.queue(),
                arguments: QueueArguments(maxLength: 1, overflow: .rejectPublish)
            )
            let refused = try await ToolProcess.run([
                "publish", "--queue", full.name, "x", "--count", "3", "--window", "1",
            ])
            #expect(refused.status == 1 && refused.output.contains("refused by the broker"), "\(refused)")
            let missing = try await ToolProcess.run(["publish", "--exchange", "test.nowhere", "x"])
            #expect(missing.status == 1 && missing.error.contains("no exchange 'test.nowhere'"), "\(missing)")
            let bad = try await ToolProcess.run(["publish", "--queue", full.name, "--ndjson"], input: "{}\nnonsense\n")
            #expect(bad.status == 1 && bad.error.contains("Line 2 is no message"), "\(bad)")
            let gap = try await ToolProcess.run(["publish", "--queue", full.name, "--ndjson"], input: "\n\nnonsense\n")
            #expect(gap.status == 1 && gap.error.contains("Line 3 is no message"), "\(gap)")
        }
    }

    @Test("publish ends by one signal while it waits for its body")
    func signalWhileReading() async throws {
        let pipe = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
        try #require(mkfifo(pipe, 0o600) == 0)
        defer { unlink(pipe) }
        // For reading too: neither end waits for the other.
        let end = open(pipe, O_RDWR)
        defer { close(end) }
        let tool = try ToolProcess(["publish", "--queue", "test.nowhere", "--file", pipe])
        #expect(write(end, "x", 1) == 1)
        try await eventually("the tool reads") {
            var wish = pollfd(fd: end, events: Int16(POLLIN), revents: 0)
            return poll(&wish, 1, 0) == 0
        }
        tool.interrupt()
        let outcome = try await within(.seconds(20), "the tool's end") { await tool.outcome() }
        #expect(outcome.hasExited && outcome.status == 130 && outcome.output.isEmpty, "\(outcome)")
    }

    @Test("a standard descriptor that is closed is not the connection's")
    func closedDescriptors() async throws {
        try await Scratch.use { scratch, _, channel in
            let queue = try await channel.declareQueue(scratch.queue())
            for (closing, command, flag, queue, text) in [
                ("<&-", "publish", "--lines", "--queue=\(queue.name)", "The input can't be read"),
                (">&-", "count", "--json", queue.name, "The output can't be written"),
            ] {
                do {
                    _ = try await Subprocess.limited("exec \(closing)", "rmq", command, flag, queue)
                    Issue.record("nothing was wrong with \(command)")
                } catch let failure as Subprocess.Failed {
                    #expect(failure.description.contains(text), "\(failure)")
                }
            }
            #expect(try await queue.readyCount() == 0)
        }
    }

    @Test("consume --json and publish --ndjson keep all of a message")
    func roundTrip() async throws {
        try await Scratch.use { scratch, _, channel in
            let queue = try await channel.declareQueue(scratch.queue())
            let other = try await channel.declareQueue(scratch.queue())
            var message = Message(
                body: [0xFF, 0, 1],
                headers: ["int32": .int32(7), "table": ["deep": [1, "two", .timestamp(5)]], "bytes": .bytes([1, 2])],
                contentType: "application/x-thing",
                contentEncoding: "gzip",
                deliveryMode: .transient,
                priority: 3,
                correlationID: "c",
                replyTo: "r",
                expiration: "60000",
                messageID: "m",
                type: "t",
                appID: "a"
            )
            try await queue.publish(message)
            message.body = Array("text ü \"".utf8)
            try await queue.publish(message)
            let taken = try await ToolProcess.run(["consume", queue.name, "--json", "--count", "2"])
            #expect(taken.status == 0, "\(taken)")
            let sent = try await ToolProcess.run(["publish", "--queue", other.name, "--ndjson"], input: taken.output)
            #expect(sent.status == 0, "\(sent)")
            let text = try await other.get(noAck: true)
            message.body = [0xFF, 0, 1]
            #expect(text?.message == message)
            message.body = Array("text ü \"".utf8)
            #expect(try await other.get(noAck: true)?.message == message)
            #expect(try await queue.readyCount() == 0)
        }
    }

    @Test("a time stamp beyond all calendars is shown")
    func lateTimestamp() async throws {
        try await Scratch.use { scratch, _, channel in
            let queue = try await channel.declareQueue(scratch.queue())
            try await queue.publish(Message("x", timestamp: Date(timeIntervalSince1970: 1e20)))
            try await eventually("the message") { try await queue.readyCount() == 1 }
            let details = try await ToolProcess.run(["peek", queue.name])
            #expect(details.status == 0 && details.output.contains("time stamp: 18446744073709551616"), "\(details)")
            let json = try await ToolProcess.run(["peek", queue.name, "--json"])
            #expect(json.status == 0 && json.output.contains(#""timestamp":9223372036854775807"#), "\(json)")
        }
    }

    @Test("consume ends by count, by idleness and by a signal, and leaves the rest")
    func consume() async throws {
        try await Scratch.use { scratch, _, channel in
            let queue = try await channel.declareQueue(scratch.queue())
            for number in 0..<20 { try await queue.publish(Message("\(number)")) }
            func consume(_ arguments: String...) async throws -> ToolProcess.Outcome {
                try await ToolProcess.run(["consume", queue.name] + arguments)
            }
            let three = try await consume("--count", "3")
            #expect(three.status == 0 && three.output == "0\n1\n2\n", "\(three)")
            let back = try await consume("--count", "2", "--requeue", "--format", #"%n=%b;"#)
            #expect(back.output == "1=3;2=4;", "\(back)")
            let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
            defer { try? FileManager.default.removeItem(atPath: folder) }
            // The second goes on where the first has ended.
            for _ in 0..<2 {
                let files = try await consume("--count", "1", "--directory", folder)
                #expect(files.status == 0 && files.output.isEmpty, "\(files)")
            }
            #expect(try String(contentsOfFile: "\(folder)/00000001", encoding: .utf8) == "3")
            #expect(try String(contentsOfFile: "\(folder)/00000002", encoding: .utf8) == "4")
            let noFolder = try await consume("--count", "1", "--directory", "\(folder)/00000001")
            #expect(noFolder.status == 1 && noFolder.error.contains("nothing can be written in"), "\(noFolder)")
            let rest = try await consume("--idle", "300ms", "--prefetch", "4")
            #expect(rest.output == (5..<20).map { "\($0)\n" }.joined(), "\(rest)")
            let none = try await consume("--idle", "100ms")
            #expect(none.status == 3, "\(none)")

            let last = "\(folder)/last"
            let tool = try ToolProcess(["consume", queue.name, "--directory", last])
            try await queue.publish(Message("last"))
            // Before that the message may still be on its way, and would go back.
            try await eventually("it is taken") { FileManager.default.fileExists(atPath: "\(last)/00000001") }
            tool.interrupt()
            let stopped = try await within(.seconds(20), "the tool's end") { await tool.outcome() }
            #expect(stopped.hasExited && stopped.status == 130, "\(stopped)")
            #expect(try String(contentsOfFile: "\(last)/00000001", encoding: .utf8) == "last")
            #expect(try await queue.readyCount() == 0)
        }
    }

    @Test("consume --idle does not end while its reader is slow")
    func slowReader() async throws {
        try await Scratch.use { scratch, _, channel in
            let queue = try await channel.declareQueue(scratch.queue())
            // More than a pipe holds.
            let body = [UInt8](repeating: 0x78, count: 300_000)
            for _ in 0..<3 { try await queue.publish(Message(body: body)) }
            let tool = try ToolProcess(["consume", queue.name, "--idle", "300ms", "--prefetch", "1", "--format", "%b"])
            try await eventually("the first is on its way") { try await queue.readyCount() == 2 }
            // It waits for a reader now, for longer than the idleness that ends it.
            try await Task.sleep(for: .milliseconds(1000))
            let outcome = try await within(.seconds(20), "the tool's end") { await tool.outcome() }
            #expect(outcome.status == 0 && outcome.output.utf8.count == 900_000, "\(outcome.status)")
        }
    }

    @Test("consume reads a stream from an offset")
    func stream() async throws {
        try await Scratch.use { scratch, _, channel in
            let stream = try await channel.declareQueue(scratch.queue(), arguments: QueueArguments(type: .stream))
            try await channel.selectConfirms()
            for number in 0..<5 { try await stream.publishConfirmed(Message("\(number)")) }
            let all = try await ToolProcess.run(
                ["consume", stream.name, "--offset", "first", "--count", "5", "--format", #"%o %b\n"#]
            )
            #expect(all.output == "0 0\n1 1\n2 2\n3 3\n4 4\n", "\(all)")
            let peek = try await ToolProcess.run(["peek", stream.name])
            #expect(peek.status == 1 && peek.error.contains("rmq consume --offset first"), "\(peek)")
        }
    }

    @Test("tail shows what an exchange routes, by a queue that is gone afterwards")
    func tail() async throws {
        try await Scratch.use { scratch, _, channel in
            let exchange = try await channel.declareExchange(scratch.exchange(), type: .topic)
            let tool = try ToolProcess(
                ["tail", exchange.name, "--key", "user.#", "--count", "2", "--format", #"%k %b\n"#]
            )
            try await channel.selectConfirms()
            try await eventually("the tool listens") {
                do {
                    try await exchange.publishConfirmed(Message("new"), routingKey: "user.new")
                    return true
                } catch AMQPError.Code.undeliverable {
                    return false
                }
            }
            _ = try? await exchange.publishConfirmed(Message("other"), routingKey: "order.new")
            try await exchange.publishConfirmed(Message("old"), routingKey: "user.old")
            let outcome = try await within(.seconds(20), "the tool's end") { await tool.outcome() }
            #expect(outcome.status == 0 && outcome.output == "user.new new\nuser.old old\n", "\(outcome)")
        }
    }

    @Test("serve answers what request asks, by a command")
    func calls() async throws {
        try await Scratch.use { scratch, _, channel in
            let queue = try await channel.declareQueue(scratch.queue())
            let server = try ToolProcess(
                [
                    "serve", queue.name, "--concurrency", "2", "--", "sh", "-c",
                    "read x; test $x != bad || exit 3; echo $x $RMQ_TYPE",
                ]
            )
            let reply = try await ToolProcess.run(["request", queue.name, "hello\n", "--type", "greeting"])
            #expect(reply.status == 0 && reply.output == "hello greeting\n\n", "\(reply)")
            let failed = try await ToolProcess.run(["request", queue.name], input: "bad\n")
            #expect(failed.status == 1 && failed.error.contains("the command ended with 3"), "\(failed)")
            server.interrupt()
            let outcome = try await within(.seconds(20), "the server's end") { await server.outcome() }
            #expect(outcome.hasExited && outcome.status == 130, "\(outcome)")
            let slow = try ToolProcess(
                ["serve", queue.name, "--timeout", "200ms", "--", "sh", "-c", "trap '' TERM; sleep 60; echo awake"]
            )
            let ended = try await ToolProcess.run(["request", queue.name, "x", "--timeout", "20s"])
            #expect(ended.status == 1 && ended.error.contains("the command ended with"), "\(ended)")
            slow.interrupt()
            _ = try await within(.seconds(20), "the slow server's end") { await slow.outcome() }
            let late = try await ToolProcess.run(["request", queue.name, "x", "--timeout", "200ms"])
            #expect(late.status == 1 && late.error.contains("No reply"), "\(late)")
        }
    }
}
