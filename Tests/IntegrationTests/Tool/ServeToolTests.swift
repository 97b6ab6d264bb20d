import RabbitMQ
import TestSupport
import Testing

@Suite("What rmq serve lets a command do", .needsTool, .timeLimit(.minutes(2)))
struct ServeToolTests {
    /// Has a command answer one request.
    private func answer(by command: String..., limit: String = "60s") async throws -> ToolProcess.Outcome {
        try await Scratch.use { scratch, _, channel in
            let queue = try await channel.declareQueue(scratch.queue())
            let server = try ToolProcess(
                ["serve", queue.name, "--timeout", limit, "--"] + command,
                environment: [
                    "RABBITMQ_URI": try TestBroker.uri, "RABBITMQ_MANAGEMENT_URI": "http://me:secret-word@127.0.0.1:1",
                ]
            )
            let reply = try await ToolProcess.run(["request", queue.name, "x", "--timeout", "60s"])
            server.interrupt()
            let end = try await within(.seconds(20), "the server's end") { await server.outcome() }
            #expect(end.hasExited && end.status == 130, "\(end)")
            return reply
        }
    }

    @Test("it does not get to know the broker's password, nor that of the management API")
    func environment() async throws {
        let text = "echo ${RABBITMQ_URI-none} ${RABBITMQ_MANAGEMENT_URI-none} $RMQ_ROUTING_KEY"
        let reply = try await answer(by: "sh", "-c", text)
        #expect(reply.status == 0 && reply.output.hasPrefix("none none test.queue."), "\(reply)")
    }

    @Test("what writes without end is ended, and is an error for who has asked")
    func endless() async throws {
        let reply = try await answer(by: "cat", "/dev/zero")
        #expect(reply.status == 1 && reply.error.contains("the command wrote more than 128 MiB"), "\(reply)")
        let loud = try await answer(by: "sh", "-c", "yes 'no more' | head -c 3000000 >&2; exit 3")
        #expect(loud.status == 1 && loud.error.contains("no more"), "\(loud)")
    }

    @Test("how each request was answered is told as a JSON object a line")
    func told() async throws {
        try await Scratch.use { scratch, _, channel in
            let queue = try await channel.declareQueue(scratch.queue())
            let server = try ToolProcess(["serve", queue.name, "--json", "--", "sh", "-c", "grep good || exit 3"])
            let good = try await ToolProcess.run(["request", queue.name, "good", "--timeout", "60s"])
            let bad = try await ToolProcess.run(["request", queue.name, "bad", "--timeout", "60s"])
            #expect(good.status == 0 && bad.status == 1, "\(good) \(bad)")
            server.interrupt()
            let end = try await within(.seconds(20), "the server's end") { await server.outcome() }
            let lines = end.output.split(separator: "\n")
            #expect(lines.count == 2 && end.status == 130, "\(end)")
            #expect(lines.first?.contains(#""reply_bytes":5,"request_bytes":4,"#) == true, "\(end)")
            #expect(lines.last?.contains(#""problem":"#) == true, "\(end)")
        }
    }

    @Test("what it has started, and what holds its output open, does not hold up the answer")
    func leftOpen() async throws {
        let failed = try await answer(by: "sh", "-c", "sleep 90 >/dev/null & echo 'no more' >&2; exit 3")
        #expect(failed.status == 1 && failed.error.contains("no more"), "\(failed)")
        // No signal to the command's group reaches it.
        let away = try await answer(by: "sh", "-c", "setsid sleep 90 & exit 0", limit: "2s")
        #expect(away.status == 1 && away.error.contains("still open"), "\(away)")
    }

    @Test("who asks a queue that is not there, or serves it, hears how to make one")
    func absent() async throws {
        let name = TestBroker.uniqueName("nobody")
        let request = try await ToolProcess.run(["request", name, "x", "--timeout", "60s"])
        #expect(request.status == 1 && request.error.contains("There is no queue \(name)."), "\(request)")
        #expect(request.error.contains("rmq serve \(name) --declare"), "\(request)")
        let server = try await ToolProcess.run(["serve", name, "--", "cat"])
        #expect(server.status == 1 && server.error.contains("--declare makes the queue"), "\(server)")
    }
}
