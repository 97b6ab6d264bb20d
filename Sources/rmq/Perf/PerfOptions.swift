#if Tool
internal import ArgumentParser
internal import RabbitMQ

struct PerfOptions: ParsableArguments {
    @Option(
        name: .customLong("host"),
        help: ArgumentHelp(
            "A host to connect to in place of the URI's, HOST or HOST:PORT; repeatable: connections take turns.",
            valueName: "host"
        )
    )
    var hosts: [PerfHost] = []

    @Option(
        name: .customLong("messages"),
        help: ArgumentHelp(
            "How many messages to measure; with connect, how many connections; 1000000 by default.",
            valueName: "messages"
        )
    )
    var mostMessages: Int?

    @Option(help: "End the measured part after so many seconds; as many messages as there are then, or --messages.")
    var seconds: Double?

    @Option(help: "With publish, publish-confirm, end-to-end: the most messages a second, of all channels together.")
    var rate: Double?

    @Option(help: "Give up when nothing has gone on for this long; that a run hangs is an error.")
    var hangAfter = Span.seconds(60)

    @Option(help: "The size of a body in bytes; with codable, that of its value counts.")
    var size = PerfOptions.usualSize

    @Flag(help: "Publish persistent messages.")
    var persistent = false

    @Option(help: "Publishing and consuming: channels on each connection.")
    var channels = 1

    @Option(help: "Publishing, consuming and idle: connections; with end-to-end as many for each of the two.")
    var connections = 1

    @Option(help: "Consuming and end-to-end: consumers, spread over the channels.")
    var consumers = 1

    @Option(help: "With publish-confirm, confirm and end-to-end: the most unconfirmed messages on a channel.")
    var window = PerfOptions.usualWindow

    @Option(help: "With consume-ack, handle and end-to-end: the prefetch of each channel; 0 for no limit.")
    var prefetch: UInt16 = PerfOptions.usualPrefetch

    @Option(help: "Messages before the measured part; with ping-pong, rpc and end-to-end 1000 at the most.")
    var warmup = 10_000

    @Option(
        help: ArgumentHelp(
            "With confirm, rpc and declare: tasks, each of which waits for the answer before the next; "
                + "with handle: how many callbacks may run at a time."
        )
    )
    var tasks = 1

    @Flag(
        name: .customLong("one-at-a-time"),
        help: "With publish-confirm: wait for each confirm before the next, as confirm does."
    )
    var oneAtATime = false

    @Option(
        help: ArgumentHelp(
            "With publish, publish-confirm, delay, consume, consume-ack and handle: how long to compute after each "
                + "message, in microseconds; not counted as CPU."
        )
    )
    var work = 0.0

    @Option(
        help: ArgumentHelp(
            "With publish, publish-confirm, consume, consume-ack, handle and get: headers of about that many bytes, "
                + "another in each."
        )
    )
    var headers = 0

    @Flag(help: "With consume, consume-ack and handle: look at the headers of each message.")
    var readHeaders = false

    @Flag(help: "End with one JSON object on one line.")
    var json = false

    @OptionGroup(title: "Queue and exchange") var place: PerfPlace
    @OptionGroup(title: "End to end") var load: LoadOptions
    @OptionGroup(title: "Who watches") var watchers: PerfWatchers
    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    /// How many messages there may be.
    var messages: Int { mostMessages ?? (loadSeconds == nil ? Self.usualMessages : 1_000_000_000_000) }

    /// How many there are if nothing is said.
    static let usualMessages = 1_000_000

    static let usualSize = 100
    static let usualWindow = 1000
    static let usualPrefetch: UInt16 = 1000

    /// When a measured part that begins now is over; nil if only messages end it.
    var deadline: ContinuousClock.Instant? { seconds.map { ContinuousClock.now + .seconds($0) } }

    /// After how many messages one looks at the clock and says how far one is, a power of two: to look costs as much as to
    /// publish a message, but what takes long must not take longer than it may.
    var stride: Int { size > 64 * 1024 || work > 100 || rate != nil ? 1 : 64 }

    /// After how many seconds nothing is published any more; nil if only messages end it.
    var loadSeconds: Double? { [seconds, load.ramp?.seconds].compactMap { $0 }.min() }

    /// When messages are due; nil for as fast as it goes.
    var pace: Ramp? { load.ramp ?? rate.map { Ramp(rate: $0) } }

    var sizeMix: SizeMix { load.sizes ?? SizeMix(size) }

    func configuration() throws -> ConnectionConfiguration {
        var configuration = try connection.configuration(name: "rmq perf")
        configuration.maxMessageSize = max(configuration.maxMessageSize, size, sizeMix.largest)
        if !hosts.isEmpty { configuration.endpoints = hosts.map(\.endpoint) }
        watchers.observe(&configuration)
        return configuration
    }

    /// What the connections of a measurement are made by, in turn: each host has its own.
    func configurations() throws -> [ConnectionConfiguration] {
        let configuration = try configuration()
        return configuration.endpoints.map { endpoint in
            var one = configuration
            one.endpoints = [endpoint]
            return one
        }
    }

    var deliveryMode: DeliveryMode { persistent ? .persistent : .transient }

    /// How many of `total` are the share of number `index` of `count`.
    static func share(of total: Int, index: Int, count: Int) -> Int {
        total / count + (index < total % count ? 1 : 0)
    }
}
#endif
