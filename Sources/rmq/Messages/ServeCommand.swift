#if Tool
internal import ArgumentParser
internal import Foundation
internal import Logging
internal import RabbitMQ

/// Answers requests by running a command.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        name: "serve",
        "Answers the requests that come to a queue with what a command writes.",
        """
        The command gets the request's body as its standard input, and in variables RMQ_ROUTING_KEY, RMQ_MESSAGE_ID, \
        RMQ_CONTENT_TYPE and RMQ_TYPE, but not RABBITMQ_URI and RABBITMQ_MANAGEMENT_URI, which may hold passwords. If it \
        fails, the client gets what it wrote to its standard error; so it does if it writes more than 128 MiB. A request \
        is acknowledged when its reply is sent. A lost connection is made again. Ctrl-C waits for those that run.
        """,
        examples: "rmq serve upper --declare -- tr a-z A-Z",
        "rmq serve prices --concurrency 8 --content-type application/json -- ./price.sh",
        "rmq serve slow --timeout 5s --json -- sh -c 'sleep 1; date'"
    )

    @Argument(help: "The queue.")
    var queue: String

    @Argument(parsing: .postTerminator, help: "The command and its arguments, behind --.")
    var command: [String] = []

    @Flag(help: "Make the queue, which goes with this command.")
    var declare = false

    @Option(help: "How many commands may run at a time.")
    var concurrency = 4

    @Option(help: "How long a command may run, with what it starts; a second later it is killed.")
    var timeout = Span.seconds(60)

    @Option(help: "The MIME type of replies.")
    var contentType = "text/plain"

    @Flag(help: "Write a JSON object a line for each request, when it is answered.")
    var json = false

    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    /// How a request was answered.
    private struct Answer: Encodable {
        let routingKey: String
        let messageID: String?
        let requestBytes: Int
        let replyBytes: Int?
        let seconds: Double
        /// Why it failed.
        let problem: String?
    }

    func validate() throws {
        guard !command.isEmpty else { throw ValidationError("Which command? It stands behind --.") }
        guard timeout.duration > .zero else { throw ValidationError("--timeout is 0.") }
        guard (1...1000).contains(concurrency) else {
            throw ValidationError("--concurrency is \(concurrency); it must be from 1 to 1000.")
        }
    }

    func run() async throws {
        var configuration = try connection.configuration(name: "rmq serve")
        configuration.recovery = RecoveryPolicy()
        configuration.logger.logLevel = .warning
        let ready = configuration
        try await Interruption.stopping { stop in
            do {
                try await Connection.lend(ready) { try await serve(on: $0, stop) }
            } catch let error as AMQPError where error.code == .notFound && !declare {
                throw ToolError("\(error)", cure: "--declare makes the queue, for as long as it is served.")
            }
            if let code = stop.exitCode { throw code }
        }
    }

    private func serve(on connection: Connection, _ stop: Stop) async throws {
        let channel = try await connection.openChannel()
        let queue =
            declare
            ? try await channel.declareQueue(self.queue, durable: false, exclusive: true, autoDelete: true)
            : try channel.queue(self.queue)
        let runner = CommandRunner(command: command, limit: timeout.duration)
        let (type, json) = (contentType, json)
        let server = try await queue.serveMessages(maxConcurrency: concurrency) { request in
            let start = ContinuousClock.now
            let output: Result<[UInt8], any Error>
            do {
                output = .success(try await Self.run(runner, for: request))
            } catch {
                output = .failure(error)
            }
            if json { Self.tell(of: request, output, since: start) }
            return Message(body: try output.get(), contentType: type)
        }
        Terminal.complain("serving \(queue.name)")
        let watch = Task {
            while !stop.isRequested { try await Task.sleep(for: .milliseconds(50)) }
            await server.stop()
        }
        defer { watch.cancel() }
        if let reason = try await server.stopped { throw reason }
        try await watch.value
    }

    private static func run(_ runner: CommandRunner, for request: IncomingMessage) async throws -> [UInt8] {
        try await runner.run(
            input: request.body,
            variables: [
                "RMQ_ROUTING_KEY": request.routingKey, "RMQ_MESSAGE_ID": request.messageID ?? "",
                "RMQ_CONTENT_TYPE": request.contentType ?? "", "RMQ_TYPE": request.type ?? "",
            ]
        )
    }

    private static func tell(
        of request: IncomingMessage,
        _ output: Result<[UInt8], any Error>,
        since start: ContinuousClock.Instant
    ) {
        var (bytes, problem): (Int?, String?) = (nil, nil)
        switch output {
        case .success(let reply): bytes = reply.count
        case .failure(let error): problem = "\(error)"
        }
        let answer = Answer(
            routingKey: request.routingKey,
            messageID: request.messageID,
            requestBytes: request.body.count,
            replyBytes: bytes,
            seconds: (ContinuousClock.now - start) / .seconds(1),
            problem: problem
        )
        // Clients get their replies also if nobody reads this.
        if let line = try? Terminal.json(answer) { try? Terminal.say(line) }
    }
}
#endif
