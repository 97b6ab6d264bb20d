#if Tool
internal import ArgumentParser
internal import RabbitMQ

struct PerfOptions: ParsableArguments {
    @OptionGroup var connection: ConnectionOptions

    @Option(help: "How many messages to measure; with connect, how many connections.")
    var messages = 1_000_000

    @Option(help: "The size of a body in bytes; with codable, that of its value counts.")
    var size = 100

    @Option(help: "The name of the queue that is made, which must not exist; one that is made up by default.")
    var queue: String?

    @Flag(help: "Use the queue that --queue names, which exists, and leave it there.")
    var useExisting = false

    @Flag(help: "With --use-existing: consuming may fill that queue up and take its messages, whoever published them.")
    var eatMessages = false

    @Flag(help: "Publishing may leave its messages in a queue that exists, or wherever an --exchange routes them.")
    var leaveMessages = false

    @Option(help: "The exchange to publish to; the default exchange by default.")
    var exchange = ""

    @Option(help: "The routing key to publish with; the queue's name by default.")
    var routingKey: String?

    @Option(help: "Channels on each connection.")
    var channels = 1

    @Option(help: "Connections.")
    var connections = 1

    @Option(help: "Consumers, spread over the channels.")
    var consumers = 1

    @Option(help: "The most unconfirmed messages on a channel.")
    var window = 1000

    @Option(help: "The prefetch of each channel when acknowledging; 0 for no limit.")
    var prefetch: UInt16 = 1000

    @Option(help: "Messages before the measured part.")
    var warmup = 10_000

    @Option(help: "With confirm and rpc: tasks, each of which waits for the confirm, or the reply, before the next.")
    var tasks = 1

    @Option(
        help:
            "With publish, consume and consume-ack: how long to compute after each message, in microseconds; not counted as CPU."
    )
    var work = 0.0

    @Option(
        help:
            "With publish, publish-confirm, consume and consume-ack: headers of about that many bytes, another in each."
    )
    var headers = 0

    @Flag(help: "With consume and consume-ack: look at the headers of each message.")
    var readHeaders = false

    @Flag(help: "End with one JSON object on one line.")
    var json = false

    func configuration() throws -> ConnectionConfiguration {
        var configuration = try connection.configuration(name: "rmq perf")
        configuration.maxMessageSize = max(configuration.maxMessageSize, size)
        return configuration
    }

    /// How many of `total` are the share of number `index` of `count`.
    static func share(of total: Int, index: Int, count: Int) -> Int {
        total / count + (index < total % count ? 1 : 0)
    }
}
#endif
