import RabbitMQ
import TestSupport

/// A connection through a proxy that cuts it when it is told to, and that the library makes again.
struct RecoveringClient {
    let proxy: TCPProxy
    let connection: Connection
    /// How it was connected, through the proxy.
    let configuration: ConnectionConfiguration
    let events: Collected<ConnectionEvent>

    /// Runs `body` with a connection that recovers.
    ///
    /// - Parameters:
    ///   - broker: The one to connect to; the test broker if nil.
    ///   - port: The port on its host; the usual one if nil.
    static func run<R>(
        on broker: OwnBroker? = nil,
        to port: Int? = nil,
        _ configure: (inout ConnectionConfiguration) throws -> Void = { _ in },
        _ body: (RecoveringClient) async throws -> R
    ) async throws -> R {
        var configuration = try await broker?.configuration ?? TestBroker.configuration
        let proxy = try TCPProxy(target: port ?? configuration.port)
        defer { proxy.stop() }
        configuration.endpoints = [.init(host: "127.0.0.1", port: proxy.port)]
        configuration.recovery = RecoveryPolicy()
        configuration.recovery.backOff = .milliseconds(50)
        configuration.recovery.maxDelay = .milliseconds(500)
        try configure(&configuration)
        return try await Connection.withConnection(configuration) { [configuration] connection in
            let events = Collected<ConnectionEvent>()
            let stream = connection.events
            let listening = Task { for await event in stream { events.add(event) } }
            defer { listening.cancel() }
            return try await body(
                RecoveringClient(
                    proxy: proxy,
                    connection: connection,
                    configuration: configuration,
                    events: events
                )
            )
        }
    }

    /// Lends a connection that recovers, names whose queues and exchanges are deleted afterwards, and a channel of somebody
    /// else, whose connection stays.
    static func use<R>(
        _ configure: (inout ConnectionConfiguration) throws -> Void = { _ in },
        _ body: (RecoveringClient, Scratch, Channel) async throws -> R
    ) async throws -> R {
        try await Scratch.use { scratch, _, other in
            try await run(configure) { try await body($0, scratch, other) }
        }
    }

    /// What the recoveries so far have brought back.
    var reports: [RecoveryReport] {
        events.all.compactMap { if case .recovered(let report, _) = $0 { report } else { nil } }
    }

    /// Waits until the connection is there again for one time more.
    ///
    /// - Parameter count: How often it was before.
    @discardableResult
    func recovered(after count: Int, within limit: Duration = .seconds(90)) async throws -> RecoveryReport {
        try await eventually("the connection is there again", within: limit) { reports.count > count }
        return reports[count]
    }

    /// Cuts the connection, and waits until it is there again.
    @discardableResult
    func cutAndRecover() async throws -> RecoveryReport {
        let count = reports.count
        proxy.cut()
        return try await recovered(after: count)
    }

    /// Cuts the connection, runs `body` while there is none, and waits until it is there again.
    @discardableResult
    func whileDown<R>(_ body: () async throws -> R) async throws -> (R, RecoveryReport) {
        let count = reports.count
        proxy.pause()
        proxy.cut()
        let result: R
        do {
            try await eventually("it is noticed") { connection.state == .recovering }
            result = try await body()
        } catch {
            proxy.resume()
            throw error
        }
        proxy.resume()
        return (result, try await recovered(after: count))
    }
}

extension Channel {
    /// Whether the broker has a queue, asked on a channel of its own.
    func hasQueue(_ name: String) async throws -> Bool {
        try await has { try await $0.declareQueue(name, passive: true) }
    }

    /// Whether the broker has an exchange, asked on a channel of its own.
    func hasExchange(_ name: String) async throws -> Bool {
        try await has { try await $0.declareExchange(name, passive: true) }
    }

    private func has(_ look: (Channel) async throws -> Void) async throws -> Bool {
        do {
            try await connection.withChannel(look)
            return true
        } catch AMQPError.Code.notFound {
            return false
        }
    }
}
