#if Tool
internal import ArgumentParser
internal import RabbitMQ

/// What move, copy and replay have in common.
struct TransferOptions: ParsableArguments {
    @OptionGroup(title: "Connection") var connection: ConnectionOptions
    @OptionGroup(title: "Which messages") var filter: MessageFilter

    @Option(help: "The most messages to send.")
    var limit: Int?

    @Option(help: "The most messages a second.")
    var rate: Double?

    @Flag(help: "Only look where messages would go; they go back into the queue.")
    var dryRun = false

    @Flag(help: "Send on who published it; RabbitMQ takes no other name than this connection's.")
    var keepUserId = false

    @Flag(help: "End with one JSON object on one line.")
    var json = false

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit is \(limit); it must be at least 1.") }
        if let rate, !(rate >= 0.001 && rate <= 10_000_000) {
            throw ValidationError("--rate is \(rate); it must be from 0.001 to 10000000.")
        }
    }

    /// Runs a transfer, and says what came of it.
    ///
    /// - Parameters:
    ///   - destination: Where messages go; where they come from if nil.
    ///   - content: What of a message goes along a route, if it is not as it is.
    func run(
        _ kind: Transfer.Kind,
        from queue: String,
        to destination: ConnectionConfiguration? = nil,
        keepsDeaths: Bool = true,
        prepare: @escaping (Connection) async throws -> Void = { _ in },
        content: @escaping (Message, Route) -> Message = { message, _ in message },
        route: @escaping (IncomingMessage) throws -> Route
    ) async throws {
        let transfer = Transfer(
            kind: kind,
            scan: QueueScan(
                queue: queue,
                filter: filter,
                limit: limit,
                // Nobody has more in hand than goes out in a second.
                mostAtOnce: min(QueueScan.mostSettledAtOnce, rate.map { max(1, Int($0)) } ?? .max),
                mayConsume: kind != .copy && !dryRun
            ),
            forwarding: Forwarding(keepsDeaths: keepsDeaths, keepsUserID: keepUserId),
            isDry: dryRun,
            rate: rate,
            isShown: !json,
            route: route,
            content: content
        )
        let configuration = try connection.configuration(name: "rmq \(kind.rawValue)")
        try await Interruption.stopping { stop in
            let report: TransferReport
            do {
                report = try await Connection.lend(configuration) { source in
                    guard let destination else {
                        try await prepare(source)
                        return try await transfer.run(from: source, to: source, stop: stop)
                    }
                    return try await Connection.lend(destination) { target in
                        try await prepare(target)
                        return try await transfer.run(from: source, to: target, stop: stop)
                    }
                }
            } catch let failure as TransferFailure {
                try say(failure.report)
                if !dryRun { Terminal.complain("What was under way may be in both places, and nothing is lost.") }
                throw failure.error
            }
            try say(report)
            if let code = stop.exitCode { throw code }
            if !report.isComplete { throw ExitCode.failure }
        }
    }

    private func say(_ report: TransferReport) throws {
        try Terminal.say(json ? Terminal.json(report) : report.text)
    }
}
#endif
