import Configuration
import CoreMetrics
import Hummingbird
import InMemoryTracing
import Logging
import Ordering
import RabbitMQ
import ServiceLifecycle
import Tracing

/// Reads its settings from the environment: `RABBITMQ_URI` and what else the library knows, `HTTP_PORT`, `LEDGER` (a
/// file), and `TRACE`.
@main
struct App {
    static func main() async throws {
        let logger = Logger(label: "orders")
        let settings = ConfigReader(provider: EnvironmentVariablesProvider())
        let scrape = Scrape()
        MetricsSystem.bootstrap(scrape)
        let tracer: InMemoryTracer? =
            settings.bool(forKey: "trace", default: false)
            ? InMemoryTracer(recordInjections: false, recordExtractions: false) : nil
        if let tracer { InstrumentationSystem.bootstrap(tracer) }

        var configuration = try ConnectionConfiguration(reader: settings.scoped(to: "rabbitmq"))
        configuration.recovery.retriesFirstConnect = true
        configuration.measureDurations()
        if tracer != nil { configuration.traceMessages() }
        let connection = try await Connection.connect(configuration)
        let metrics = ConnectionMetrics(connection)

        let ledger = try Ledger(path: settings.string(forKey: "ledger", default: "ledger"))
        let orders = try await Orders(connection) { order in
            // What an unknown outcome has doubled is said, and not booked again.
            print(try await ledger.book(order) ? "booked" : "doubled", order.id)
        }
        let web = Application(
            router: makeRouter(orders, connection, metrics, scrape, tracer),
            configuration: ApplicationConfiguration(
                address: .hostname("127.0.0.1", port: settings.int(forKey: "http.port", default: 8080))
            ),
            logger: logger
        )
        // Shut down from the last to the first: no request comes in any more, none is open, then the connection ends,
        // and the last report of its metrics has it all.
        let services: [any Service] = [metrics, connection, orders.worker, orders.priceServer, web]
        try await ServiceGroup(
            services: services,
            gracefulShutdownSignals: [.sigterm],
            cancellationSignals: [.sigint],
            logger: logger
        ).run()
    }
}
