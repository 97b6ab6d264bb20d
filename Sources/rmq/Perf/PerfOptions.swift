internal import ArgumentParser
internal import RabbitMQ

struct PerfOptions: ParsableArguments {
    @Option(help: "Where the broker is.")
    var uri = "amqp://guest:guest@localhost:5672"

    @Option(help: "How many messages to measure; with connect, how many connections.")
    var messages = 1_000_000

    @Option(help: "The size of a body in bytes.")
    var size = 100

    @Option(help: "An existing queue to use; one of its own by default.")
    var queue: String?

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

    @Option(help: "The prefetch of each channel when acknowledging.")
    var prefetch: UInt16 = 1000

    @Option(help: "Messages before the measured part.")
    var warmup = 10_000

    @Option(help: "A file with the certificate authorities to trust, for amqps.")
    var ca: String?

    @Flag(help: "End with one JSON object on one line.")
    var json = false

    func validate() throws {
        for (name, value, least) in [
            ("messages", messages, 1), ("size", size, 0), ("channels", channels, 1), ("connections", connections, 1),
            ("consumers", consumers, 1), ("window", window, 1), ("warmup", warmup, 0),
        ] where value < least {
            throw ValidationError("--\(name) is \(value), which is less than \(least).")
        }
    }

    func configuration() throws -> ConnectionConfiguration {
        var configuration = try ConnectionConfiguration(brokerURI: uri, ca: ca)
        configuration.connectionName = "rmq perf"
        return configuration
    }

    /// How many of `total` are the share of number `index` of `count`.
    static func share(of total: Int, index: Int, count: Int) -> Int {
        total / count + (index < total % count ? 1 : 0)
    }
}
