#if Tool
internal import ArgumentParser
internal import Foundation
internal import RabbitMQ

/// Publishes messages.
struct PublishCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        name: "publish",
        "Publishes messages, and waits until the broker has them.",
        """
        The body is an argument, a --file, or the standard input: all of it, with --lines a message a line, with \
        --ndjson a JSON object a line, as 'rmq consume --json' writes them (body or body_base64, headers, \
        content_type, persistent, priority, correlation_id, reply_to, expiration, message_id, timestamp, type, \
        user_id, app_id, and where no other is given exchange and routing_key).

        Each message is confirmed by the broker, and comes back if no queue gets it: the exit status is 1 then. \
        What was not confirmed is counted.
        """,
        examples: "rmq publish --queue orders '{\"id\":17}' --content-type application/json",
        "rmq publish --exchange events --routing-key user.new -H attempt:=1 --file body.bin",
        "rmq consume orders --json --idle 1s | rmq publish --ndjson --queue orders.copy --rate 100"
    )

    @Argument(help: "The body.")
    var body: String?

    @Option(help: "A file that holds the body.")
    var file: String?

    @Flag(help: "A message for each line of the input.")
    var lines = false

    @Flag(help: "A message for each line of the input, which is a JSON object.")
    var ndjson = false

    @Option(help: "The queue to publish to, by the default exchange.")
    var queue: String?

    @Option(help: "The exchange to publish to.")
    var exchange: String?

    @Option(name: [.customShort("k"), .long], help: "The routing key.")
    var routingKey: String?

    @Option(name: .shortAndLong, help: "How often to publish the body.")
    var count = 1

    @Option(help: "The most messages a second.")
    var rate: Double?

    @Flag(help: "Don't wait for the broker's confirms: what is lost is not noticed, but what comes back is.")
    var noConfirm = false

    @Option(help: "How long to wait for a message's outcome, and for a broker that takes none; 30s by default.")
    var wait: Span?

    @Flag(help: "Let messages be that no queue gets.")
    var mayBeUnroutable = false

    @Option(help: "The most messages that wait for their confirm.")
    var window = 1000

    @Flag(help: "End with one JSON object on one line.")
    var json = false

    @OptionGroup(title: "Properties") var properties: PropertyOptions
    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    func validate() throws {
        guard [body != nil, file != nil, lines, ndjson].count(where: { $0 }) < 2 else {
            throw ValidationError("A body, --file, --lines and --ndjson exclude each other.")
        }
        guard queue == nil || (exchange == nil && routingKey == nil) else {
            throw ValidationError("--queue is in place of --exchange and --routing-key.")
        }
        guard ndjson || queue != nil || exchange != nil || routingKey != nil else {
            throw ValidationError("Where to? Give --queue, or --exchange and --routing-key.")
        }
        guard (1...1_000_000_000).contains(count), (1...1_000_000).contains(window) else {
            throw ValidationError("--count must be from 1 to 1000000000, --window from 1 to 1000000.")
        }
        guard wait.map({ $0.duration > .zero }) ?? true, wait == nil || !noConfirm else {
            throw ValidationError("--wait is for more than 0, and not with --no-confirm.")
        }
        guard count == 1 || !(lines || ndjson) else { throw ValidationError("--count is for one body.") }
        guard !ndjson || properties.isEmpty else {
            throw ValidationError("With --ndjson the properties of a message stand in its line.")
        }
        if let rate, !(rate >= 0.001 && rate <= 10_000_000) {
            throw ValidationError("--rate is \(rate); it must be from 0.001 to 10000000.")
        }
    }

    struct Report: Encodable {
        var published = 0
        var confirmed = 0
        var returned = 0
        var refused = 0
        var unknown = 0
    }

    func run() async throws {
        var configuration = try connection.configuration(name: "rmq publish")
        if let wait { configuration.publishTimeout = wait.duration }
        let ready = configuration
        try await Interruption.stopping { stop in
            var input = try source(stop)
            var report = Report()
            var failure: (any Error)?
            do {
                try await Connection.lend(ready) { connection in
                    try await publish(&input, on: connection, &report, stop)
                }
            } catch {
                failure = error
            }
            if report.published > 0 || failure == nil { try say(report) }
            if let failure { throw failure }
            if let code = stop.exitCode { throw code }
            if report.returned + report.refused + report.unknown > 0 { throw ExitCode.failure }
        }
    }

    private func source(_ stop: Stop) throws -> PublishInput {
        if lines { return PublishInput(.lines, properties, stop: stop) }
        if ndjson { return PublishInput(.records, properties, stop: stop) }
        if let body { return PublishInput(.body(Array(body.utf8), count: count), properties, stop: stop) }
        var reader = LineReader(STDIN_FILENO, stop: stop)
        if let file {
            let descriptor = open(file, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else {
                throw ToolError("\(file) can't be read: \(String(cString: strerror(errno))).")
            }
            reader = LineReader(descriptor, stop: stop)
        }
        let bytes = try reader.rest()
        // What came before a signal is not all of it.
        if let code = stop.exitCode { throw code }
        return PublishInput(.body(bytes, count: count), properties, stop: stop)
    }

    private func publish(
        _ input: inout PublishInput,
        on connection: Connection,
        _ report: inout Report,
        _ stop: Stop
    ) async throws {
        let channel = try await connection.openChannel()
        if !noConfirm { try await channel.selectConfirms(maxUnconfirmed: window) }
        var exchanges: [String: Exchange] = [:]
        var pace = Pace(rate: rate)
        var waiting: [PublishReceipt] = []
        // Not in the middle of what is typed.
        var live = LiveCount(isWanted: !json && !((lines || ndjson) && isatty(STDIN_FILENO) == 1))
        defer { live.clear() }
        // Without confirms nothing else tells of them.
        let returns = noConfirm ? countReturns(of: channel) : nil
        do {
            while !stop.isRequested, let item = try input.next() {
                try await pace.wait(unless: stop)
                if stop.isRequested { break }
                let (name, key) = target(of: item)
                do {
                    let exchange = try exchanges[name] ?? channel.exchange(name)
                    exchanges[name] = exchange
                    waiting.append(
                        try await exchange.publish(item.message, routingKey: key, mandatory: !mayBeUnroutable)
                    )
                } catch let error as AMQPError where ndjson && Complaint.isOverArguments(error) {
                    // It isn't what was typed that is wrong.
                    throw ToolError("Line \(input.number) can't be published: \(error.message)")
                }
                report.published += 1
                live.show("\(report.published) published")
                // Half of them: so that the others go on meanwhile.
                if waiting.count >= max(1, window / 2) || rate.map({ $0 < 1000 }) == true {
                    let few = rate.map { $0 < 1000 } == true ? waiting.count : waiting.count / 2 + 1
                    let due = waiting.prefix(few)
                    // Before: where that fails, those are counted, and not to be counted once more below.
                    waiting.removeFirst(few)
                    try await settle(due, &report)
                }
            }
        } catch {
            try? await settle(waiting[...], &report)
            throw error
        }
        try await settle(waiting[...], &report)
        guard let returns else { return }
        // The broker answers when it has taken all that was sent before; what came back came before that.
        try await channel.setQos(prefetchCount: 0)
        await channel.close()
        report.returned = await returns.value
    }

    /// Counts what comes back, until the channel is closed.
    private func countReturns(of channel: Channel) -> Task<Int, Never> {
        let messages = channel.returnedMessages
        return Task {
            var count = 0
            for await _ in messages { count += 1 }
            return count
        }
    }

    private func target(of item: PublishInput.Item) -> (exchange: String, routingKey: String) {
        if let queue { return ("", queue) }
        return (exchange ?? item.exchange ?? "", routingKey ?? item.routingKey ?? "")
    }

    /// Waits for the outcomes.
    private func settle(_ receipts: ArraySlice<PublishReceipt>, _ report: inout Report) async throws {
        guard !noConfirm else { return }
        var failure: (any Error)?
        for receipt in receipts {
            do {
                try await receipt.confirmed(timeout: wait?.duration)
                report.confirmed += 1
            } catch AMQPError.Code.undeliverable {
                report.returned += 1
            } catch AMQPError.Code.nacked {
                report.refused += 1
            } catch {
                report.unknown += 1
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
    }

    private func say(_ report: Report) throws {
        if json { return try Terminal.say(Terminal.json(report)) }
        var facts = ["\(report.published) published"]
        if !noConfirm { facts.append("\(report.confirmed) confirmed") }
        if report.returned > 0 { facts.append("\(report.returned) came back: no queue gets them") }
        if report.refused > 0 { facts.append("\(report.refused) refused by the broker: a queue is full") }
        if report.unknown > 0 { facts.append("\(report.unknown) of unknown outcome") }
        try Terminal.say(facts.joined(separator: ", "))
    }
}
#endif
