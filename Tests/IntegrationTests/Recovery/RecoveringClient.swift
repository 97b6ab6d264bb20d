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
    static func run<R>(
        _ configure: (inout ConnectionConfiguration) -> Void = { _ in },
        _ body: (RecoveringClient) async throws -> R
    ) async throws -> R {
        try await TCPProxy.run { proxy in
            var configuration = try TestBroker.plainConfiguration
            configuration.endpoints = [.init(host: "127.0.0.1", port: proxy.port)]
            configuration.recovery = RecoveryPolicy()
            configuration.recovery.backOff = .milliseconds(50)
            configure(&configuration)
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
    }

    /// What the recoveries so far have brought back.
    var reports: [RecoveryReport] {
        events.all.compactMap { if case .recovered(let report, _) = $0 { report } else { nil } }
    }

    /// Cuts the connection, and waits until it is there again.
    @discardableResult
    func cutAndRecover() async throws -> RecoveryReport {
        let count = reports.count
        proxy.cut()
        try await eventually("the connection is there again", within: .seconds(30)) { reports.count > count }
        return reports[count]
    }
}
