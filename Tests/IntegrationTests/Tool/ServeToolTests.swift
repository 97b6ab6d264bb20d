import RabbitMQ
import TestSupport
import Testing

@Suite("What rmq serve lets a command do", .needsTool, .timeLimit(.minutes(2)))
struct ServeToolTests {
    /// Has a command answer one request.
    private func answer(by command: String...) async throws -> ToolProcess.Outcome {
        try await Scratch.use { scratch, _, channel in
            let queue = try await channel.declareQueue(scratch.queue())
            let server = try ToolProcess(
                ["serve", queue.name, "--"] + command,
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
}
