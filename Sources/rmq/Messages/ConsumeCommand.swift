#if Tool
internal import ArgumentParser
internal import Foundation
internal import Logging
internal import RabbitMQ

/// Consumes a queue or a stream.
struct ConsumeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        name: "consume",
        "Writes the messages of a queue or a stream as they come.",
        """
        A message is acknowledged when it was written. A lost connection is made again. It goes on until Ctrl-C, \
        --count or --idle; then what was not written goes back to the queue. The exit status is 3 if --idle was \
        given and nothing came.
        """,
        examples: "rmq consume orders --format '%k %b\\n'",
        "rmq consume orders --json --count 100 --idle 5s > orders.ndjson",
        "rmq consume events --offset first --directory /tmp/events"
    )

    enum Settlement: String, EnumerableFlag {
        case ack, noAck, requeue

        static func help(for value: Settlement) -> ArgumentHelp? {
            switch value {
            case .ack: "Acknowledge each message that was written; the default."
            case .noAck: "Consume without acknowledgement: what was sent and not written is lost."
            case .requeue: "Put all of them back at the end; with --count."
            }
        }
    }

    @Argument(help: "The queue or stream.")
    var queue: String

    @Flag(exclusivity: .exclusive) var settlement: Settlement = .ack

    @Option(name: .shortAndLong, help: "How many messages to take.")
    var count: Int?

    @Option(help: "End when nothing has come for this long.")
    var idle: Span?

    @Option(help: "How many messages may be on their way; with --count and acknowledgements, 30 at the most.")
    var prefetch: UInt16 = 100

    @Flag(help: "Be the queue's only consumer.")
    var exclusive = false

    @Option(help: "The priority among the queue's consumers.")
    var priority: Int32?

    @Option(help: "Where to begin in a stream: first, last, next, an offset, or how long ago: 2h, 7D.")
    var offset: String?

    @Option(help: "Write each body to a file in this folder, named by its number; behind those that are there.")
    var directory: String?

    @OptionGroup(title: "Output") var output: MessageOutput
    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    func validate() throws {
        if let count, count < 1 { throw ValidationError("--count is \(count); it must be at least 1.") }
        guard prefetch > 0 else { throw ValidationError("--prefetch is 0; it must be at least 1.") }
        if let offset, !["first", "last", "next"].contains(offset), UInt64(offset) == nil,
            offset.wholeMatch(of: #/[0-9]{1,9}[YMDhms]/#) == nil
        {
            throw ValidationError("--offset is \(offset); it is first, last, next, an offset, or how long ago: 2h, 7D.")
        }
        guard directory == nil || output.isBodies else {
            throw ValidationError("--directory takes bodies alone: none of --json, --format and --details.")
        }
        switch settlement {
        case .ack: break
        case .noAck:
            guard count == nil else { throw ValidationError("With --no-ack, what comes after --count would be lost.") }
            guard offset == nil else { throw ValidationError("A stream's consumer acknowledges: no --no-ack.") }
        case .requeue:
            guard let count, count <= 65_535 else { throw ValidationError("--requeue needs --count, up to 65535.") }
        }
    }

    private var options: ConsumerOptions {
        let start: StreamOffset? = offset.map { text -> StreamOffset in
            switch text {
            case "first": .first
            case "last": .last
            case "next": .next
            default: UInt64(text).map { StreamOffset.offset($0) } ?? .interval(text)
            }
        }
        return ConsumerOptions(
            noAck: settlement == .noAck,
            exclusive: exclusive,
            priority: priority,
            streamOffset: start
        )
    }

    func run() async throws {
        var configuration = try connection.configuration(name: "rmq consume")
        configuration.recovery = RecoveryPolicy()
        configuration.logger.logLevel = .warning
        let ready = configuration
        try await Interruption.stopping { stop in
            let taken = try await Connection.lend(ready) { try await consume(on: $0, stop) }
            if let code = stop.exitCode { throw code }
            if taken == 0 { throw ExitCode.nothing }
        }
    }

    private func consume(on connection: Connection, _ stop: Stop) async throws -> Int {
        let channel = try await connection.openChannel()
        try await channel.setQos(prefetchCount: mostOnTheirWay)
        var number = try directory.map { try Self.lastNumber(in: $0) } ?? 0
        var writer = try output.writer()
        var last: IncomingMessage?
        let loop = DeliveryLoop(count: count, idle: idle?.duration, stop: stop)
        let deliveries = try await channel.queue(queue).consume(options)
        // Else it looks as if it hung, where nothing comes.
        if Terminal.isScreen { Terminal.complain("consuming from \(queue)") }
        let taken = try await loop.run(deliveries) { message in
            if let directory {
                number += 1
                try save(message, in: directory, number: number)
            } else {
                try writer.write(message)
            }
            switch settlement {
            case .noAck: break
            case .requeue: last = message
            case .ack:
                do {
                    try message.ack()
                } catch AMQPError.Code.staleDelivery {
                    Terminal.complain("The connection was lost before a message was acknowledged: it comes again.")
                }
            }
        }
        try last?.nack(requeue: true, multiple: true)
        if settlement == .ack { try await awaitSettling(of: deliveries.consumer, on: channel, stop) }
        return taken
    }

    /// How many messages may be on their way, and so wait to be settled.
    private var mostOnTheirWay: UInt16 {
        let wanted = count.map { UInt16(clamping: $0) } ?? .max
        switch settlement {
        // Those that go back at the end all wait until then.
        case .requeue: return wanted
        case .noAck: return min(prefetch, wanted)
        case .ack:
            // So that no acknowledgement waits in the broker's channel when the last message is acknowledged. Those of a
            // stream don't matter.
            let isCounted = count != nil && offset == nil
            return min(prefetch, wanted, isCounted ? UInt16(QueueScan.mostSettledAtOnce) : .max)
        }
    }

    /// Waits until the queue has the acknowledgements: what a quorum queue has not got when the connection ends comes
    /// again.
    private func awaitSettling(of consumer: Consumer, on channel: Channel, _ stop: Stop) async throws {
        do {
            // It waits until the queue has written down what was sent before, and has what waits sent behind that.
            try await consumer.cancel()
            try await channel.declareQueue(queue, passive: true)
        } catch AMQPError.Code.notFound {
            // It went with its last consumer.
        } catch  where stop.isRequested {
            Terminal.complain("Not all acknowledgements may have reached the broker: what they were for comes again.")
        }
    }

    /// Makes the folder where there is none.
    ///
    /// - Returns: The highest number that a file there has. To begin with 1 again would write over messages that are
    ///   nowhere else any more.
    private static func lastNumber(in directory: String) throws -> Int {
        do {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            let names = try FileManager.default.contentsOfDirectory(atPath: directory)
            return names.filter { $0.utf8.count <= 18 }.compactMap { UInt64($0).map { Int($0) } }.max() ?? 0
        } catch {
            throw ToolError("--directory: nothing can be written in \(directory): \(error.localizedDescription)")
        }
    }

    /// All of it or nothing: a file that is there is whole.
    private func save(_ message: IncomingMessage, in directory: String, number: Int) throws {
        let digits = "\(number)"
        let name = String(repeating: "0", count: max(0, 8 - digits.count)) + digits
        do {
            try Data(message.body).write(to: URL(filePath: "\(directory)/\(name)"), options: .atomic)
        } catch {
            throw ToolError("\(directory)/\(name) can't be written: \(error)")
        }
    }
}
#endif
