public import Logging

/// How to connect, and what the connection may take.
///
/// ```swift
/// var configuration = ConnectionConfiguration(host: "rabbit.internal", virtualHost: "orders")
/// configuration.heartbeat = .seconds(10)
/// let connection = try await Connection.connect(configuration)
/// ```
///
/// A timeout may be as long as one likes, and more than a hundred years count as that; one that is zero or negative is
/// refused, unless it says what zero means. A `timeout` of a call that is zero or negative gives up at once if there is
/// something to wait for.
public struct ConnectionConfiguration: Sendable {
    /// Where brokers may listen, tried one after the other until one lets the client in; `localhost` by default.
    ///
    /// What one broker says about the credentials or the virtual host counts for all: no other is asked then. One that
    /// fails, is being stopped or lacks resources is passed over.
    public var endpoints: [ConnectionConfiguration.Endpoint]

    /// In which order the ``endpoints`` are tried; as they stand by default.
    public var endpointOrder: ConnectionConfiguration.Endpoint.Order = .listed

    /// Who connects; the user `guest` with the password `guest` by default, whom RabbitMQ takes from its own host only.
    public var credentials: ConnectionConfiguration.Credentials

    /// The virtual host; `/` by default. At most 255 bytes of UTF-8.
    public var virtualHost: String

    /// How the connection is encrypted; nil, which is the default, for not at all.
    public var tls: ConnectionConfiguration.TLS?

    /// A stream socket that is connected already, used instead of connecting to the ``endpoints``; none by default.
    ///
    /// The connection takes it over and closes it, also when connecting fails. It can't be combined with ``tls``.
    public var connectedSocket: Int32?

    /// How long connecting may take from the name lookup to the broker's last word, for each of the ``endpoints``; 10 s
    /// by default.
    ///
    /// Any number may connect at the same time, and none that hangs holds up others. Up to 32 names are looked up at a time;
    /// those behind wait, within this time.
    public var connectTimeout: Duration = .seconds(10)

    /// How long a call waits for the broker's answer before it throws ``AMQPError/Code/timedOut``; 30 s by default.
    ///
    /// The call may still take effect: its answer is discarded when it comes. ``withCallTimeout(_:isolation:_:)`` gives some
    /// calls another time.
    ///
    /// While a lost connection is made again, a call waits for it first, unless ``RecoveryPolicy/whileDown`` says otherwise:
    /// no longer than this, and then it was not sent. On a channel whose commit is not answered yet it is sent behind that
    /// answer, and its time runs meanwhile.
    public var callTimeout: Duration = .seconds(30)

    /// How long closing a connection or a channel waits for the broker's answer before it goes on without; 5 s by default.
    public var closeTimeout: Duration = .seconds(5)

    /// How long ``Connection/shutdown(within:)`` takes at the most, if it is given no other time; 20 s by default.
    public var shutdownTimeout: Duration = .seconds(20)

    /// How long a publish waits before it throws ``AMQPError/Code/blockedTooLong``; 30 s by default.
    ///
    /// That is for all that it may wait for together: a lost connection that is made again, or a channel that is opened anew
    /// (``RecoveryPolicy/whileDown``); the broker's flow and its `connection.blocked`; the answer to the channel's commit; a
    /// place among the unconfirmed messages; room on the connection. ``withCallTimeout(_:isolation:_:)`` gives some publishes
    /// another time.
    public var publishTimeout: Duration = .seconds(30)

    /// How long the broker lets a delivery be unsettled before it closes the channel: its `consumer_timeout`; 30 minutes
    /// by default, as with RabbitMQ. Zero if it has none.
    ///
    /// The broker is not told: when a delivery has waited for four fifths of it, the ``logger`` gets a warning, and that is
    /// all. Where queues or consumers have a timeout of their own (`x-consumer-timeout`, RabbitMQ 3.12), give the
    /// shortest.
    /// RabbitMQ: [Delivery acknowledgement timeout](https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout).
    public var consumerTimeout: Duration = .seconds(1800)

    /// The interval at which both sides prove that they live; 60 s by default, zero for none, else rounded up to whole
    /// seconds.
    ///
    /// The broker may lower it. After two intervals without a byte the connection counts as lost.
    /// RabbitMQ: [Heartbeats](https://www.rabbitmq.com/docs/heartbeats).
    public var heartbeat: Duration = .seconds(60)

    /// The most channels at a time; 2047 by default, 0 for as many as the broker allows. The broker may lower it.
    public var channelMax: UInt16 = 2047

    /// The size of the largest frame in bytes, from 4096 to 131072, which is the default. The broker may lower it.
    ///
    /// RabbitMQ 4.1 and later refuse less than 8192. The ``credentials`` must fit into one, which is sent before that is
    /// agreed on: RabbitMQ takes 4096 bytes by then, 4.1 and later 8192 or what their setting `initial_frame_max` says.
    public var frameMax: UInt32 = 131_072

    /// The largest message body, in bytes, that is published or accepted; 128 MiB by default.
    ///
    /// A larger delivery closes its channel with ``AMQPError/Code/contentTooLarge``; so does one with which the bodies that
    /// have begun on the connection, and have not come whole, take more than this together. RabbitMQ sends one at a time.
    public var maxMessageSize: Int = 128 * 1024 * 1024

    /// Bytes waiting to be written from which on publishes wait; 2 MiB by default. They go on at half of it.
    public var outboundHighWater: Int = 2 * 1024 * 1024

    /// Bytes of deliveries waiting for consumers that have no prefetch limit, from which on the connection reads no more;
    /// 4 MiB by default. It goes on at half of it.
    ///
    /// **Consumers with a prefetch limit** each have a share that does not count: four times this value, divided by the number
    /// of such consumers on the connection, and never less than a 64th of this value. Only bytes beyond the share count. With
    /// the default, one such consumer can have about 20 MiB waiting before reading stops. If the prefetch limit times the size
    /// of a message is more than that, a slow consumer holds up all others on the connection: set a smaller limit, or use
    /// another connection for it. A limit for all consumers of a channel together (`global`) counts as none here: its consumers
    /// have no share.
    ///
    /// **Waiting for the broker:** the answer to a call, a confirm, or the end of a block comes behind the deliveries that were
    /// sent before it. So reading goes on while something waits for the broker, up to 64 MiB more for each wait and up to 256
    /// MiB more in all. A program that makes a call, or waits for a confirm, for each message of a large backlog so takes more
    /// and more of the backlog into memory. At 256 MiB no answer arrives any more until consumers have taken some. To prevent
    /// that, set a prefetch limit (``Channel/setQos(prefetchSize:prefetchCount:global:)``) and consume with acknowledgement.
    public var inboundHighWater: Int = 4 * 1024 * 1024

    /// What becomes of a connection that is lost; by default it is made again, with all that belonged to it. A connection
    /// over a ``connectedSocket`` is not.
    public var recovery = RecoveryPolicy()

    /// How long memory that a busy time has left is kept for the next.
    var spareMemoryTime: Duration = .seconds(30)

    /// How many entries of what was sent, and of what was received, are remembered, to be looked at when the connection has ended:
    /// ``AMQPError/recording``, ``Connection/recording``. Those of one method in a row on one channel are one entry. A quarter
    /// of them is for what comes more seldom than messages and their settlements, which would wash it away. 0, which is the
    /// default, for none; at most 100,000.
    public var recordedFrames = 0

    /// A name for the connection that RabbitMQ shows in its management tools and logs; none by default.
    public var connectionName: String?

    /// Further properties to tell the broker about this client. They win over the library's own.
    public var clientProperties: FieldTable = [:]

    /// Where closes and anomalies are logged; a logger labelled `rabbitmq` by default.
    public var logger = Logger(label: "rabbitmq")

    /// Who watches what is published and handled; nobody by default.
    var tracing: (any MessageTracing)?
    var meter: (any DurationMeter)?

    /// Makes a configuration with defaults for everything that is not given.
    ///
    /// - Parameters:
    ///   - host: The name or address of the host.
    ///   - port: The TCP port; 5672 by default, or 5671 with TLS.
    ///   - credentials: Who connects.
    ///   - virtualHost: The virtual host.
    ///   - tls: How the connection is encrypted; not at all by default.
    public init(
        host: String = "localhost",
        port: Int? = nil,
        credentials: ConnectionConfiguration.Credentials = .plain(username: "guest", password: "guest"),
        virtualHost: String = "/",
        tls: ConnectionConfiguration.TLS? = nil
    ) {
        self.init(
            endpoints: [ConnectionConfiguration.Endpoint(host: host, port: port)],
            credentials: credentials,
            virtualHost: virtualHost,
            tls: tls
        )
    }

    /// Makes a configuration with several hosts, and with defaults for everything that is not given.
    ///
    /// - Parameters:
    ///   - endpoints: Where brokers may listen.
    ///   - credentials: Who connects.
    ///   - virtualHost: The virtual host.
    ///   - tls: How the connection is encrypted; not at all by default.
    public init(
        endpoints: [ConnectionConfiguration.Endpoint],
        credentials: ConnectionConfiguration.Credentials = .plain(username: "guest", password: "guest"),
        virtualHost: String = "/",
        tls: ConnectionConfiguration.TLS? = nil
    ) {
        self.endpoints = endpoints
        self.credentials = credentials
        self.virtualHost = virtualHost
        self.tls = tls
    }

    /// The host of the first of the ``endpoints``.
    public var host: String {
        get { endpoints.first?.host ?? "localhost" }
        set {
            if endpoints.isEmpty {
                endpoints = [ConnectionConfiguration.Endpoint(host: newValue)]
            } else {
                endpoints[0].host = newValue
            }
        }
    }

    /// The TCP port of the first of the ``endpoints``, from 1 to 65535; by default 5672, or 5671 with TLS.
    public var port: Int {
        get { port(of: endpoints.first) }
        set {
            if endpoints.isEmpty { endpoints = [ConnectionConfiguration.Endpoint(host: "localhost")] }
            endpoints[0].port = newValue
        }
    }

    func port(of endpoint: ConnectionConfiguration.Endpoint?) -> Int { endpoint?.port ?? (tls == nil ? 5672 : 5671) }

    /// The heartbeat as it is told to the broker: a part of a second is a whole one, not none.
    var heartbeatSeconds: UInt16 {
        let (seconds, attoseconds) = heartbeat.components
        return UInt16(clamping: attoseconds > 0 ? seconds + 1 : seconds)
    }

    /// Refuses what can't work, before anything is sent.
    func validate() throws(AMQPError) {
        func require(_ condition: Bool, _ message: String) throws(AMQPError) {
            guard condition else { throw AMQPError(.invalidArgument, message) }
        }
        try require(!endpoints.isEmpty || connectedSocket != nil, "no endpoint is given to connect to")
        for endpoint in endpoints { try endpoint.validate() }
        try require(tls == nil || connectedSocket == nil, "a socket that is connected already can't get TLS")
        try tls?.validate()
        try require((4096...131_072).contains(frameMax), "frameMax \(frameMax) is not from 4096 to 131072")
        try require(heartbeat >= .zero && heartbeat <= .seconds(65535), "the heartbeat is not from 0 to 65535 s")
        try require(consumerTimeout >= .zero, "consumerTimeout is negative")
        try require(maxMessageSize >= 0, "maxMessageSize is negative")
        try require((0...100_000).contains(recordedFrames), "recordedFrames is not from 0 to 100000")
        try require(outboundHighWater > 0 && inboundHighWater > 0, "a high-water mark is not positive")
        for (name, timeout) in [
            ("connectTimeout", connectTimeout), ("callTimeout", callTimeout), ("closeTimeout", closeTimeout),
            ("publishTimeout", publishTimeout), ("shutdownTimeout", shutdownTimeout),
        ] {
            try require(timeout > .zero, "\(name) is not positive")
        }
        try recovery.validate()
        try ShortString.validateText(virtualHost, name: "virtual host")
        try TableCheck.validate(clientProperties, name: "the client properties")
        try credentials.validate()
    }
}
