#if Tool
internal import ArgumentParser
internal import Foundation
internal import RabbitMQ

/// Calls a server through the broker.
struct RequestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        name: "request",
        "Sends a request to a queue, waits for the reply, and writes it.",
        "The exit status is 1 if nobody answers in time, if no queue gets the request, or if the server says that it failed.",
        examples: "rmq request prices '{\"item\":17}' --content-type application/json",
        "echo hello | rmq request upper --timeout 2s",
        "rmq request --exchange rpc --routing-key price '17' --json"
    )

    @Argument(help: "The server's queue, unless --exchange is given; then the body.")
    var queue: String

    @Argument(help: "The body; the standard input by default.")
    var body: String?

    @Option(help: "The exchange to publish to; the first argument is the body then.")
    var exchange: String?

    @Option(name: [.customShort("k"), .long], help: "The routing key there.")
    var routingKey: String?

    @Option(help: "How long to wait for the reply.")
    var timeout = Span.seconds(30)

    @Flag(help: "Write the reply with its properties, as a JSON object on one line.")
    var json = false

    @OptionGroup(title: "Properties") var properties: PropertyOptions
    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    func validate() throws {
        guard exchange == nil || body == nil else {
            throw ValidationError("With --exchange there is no queue: give the body alone.")
        }
        guard exchange != nil || routingKey == nil else { throw ValidationError("--routing-key is for an --exchange.") }
        guard timeout.duration > .zero else { throw ValidationError("--timeout is 0.") }
    }

    func run() async throws {
        let configuration = try connection.configuration(name: "rmq request")
        let text = exchange == nil ? body : queue
        var reader = LineReader(STDIN_FILENO)
        let request = try properties.message(text.map { Array($0.utf8) } ?? reader.rest())
        let (exchange, limit) = (exchange ?? "", timeout.duration)
        let key = self.exchange == nil ? queue : routingKey ?? ""
        let reply = try await Interruption.cancelling {
            try await Connection.lend(configuration) { connection in
                try await connection.withRPCClient(exchange: exchange, routingKey: key, timeout: limit) { client in
                    do {
                        return try await client.call(request)
                    } catch let failure as RPCFailure {
                        throw ToolError("The server failed: \(failure)")
                    } catch AMQPError.Code.undeliverable where exchange.isEmpty {
                        throw ToolError(
                            "There is no queue \(key).",
                            cure: "rmq serve \(key) --declare -- COMMAND would make one, and answer."
                        )
                    } catch AMQPError.Code.timedOut {
                        throw ToolError(
                            "No reply within \(limit).",
                            cure: "Does anybody serve it? rmq count shows whether the queue has consumers."
                        )
                    }
                }
            }
        }
        let bytes = try json ? Array(MessageRecord(reply).line().utf8) : reply.body
        try Terminal.write(Terminal.shown(bytes) + [UInt8(ascii: "\n")])
    }
}
#endif
