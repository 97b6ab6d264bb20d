#if MetricsSupport
public import CoreMetrics
#if ServiceLifecycleSupport
public import ServiceLifecycle
#endif
internal import Synchronization

/// Gives swift-metrics what connections count: from time to time, by how much it has changed.
///
/// ```swift
/// let metrics = ConnectionMetrics(connection)
/// await metrics.report(every: .seconds(10))  // in a task of its own; or as one of a group's services
/// ```
///
/// A message costs no more than without it. <doc:Observability> lists what is reported. How long handlers and confirmed
/// publishes take is told as it happens: ``ConnectionConfiguration/measureDurations(_:)``.
public final class ConnectionMetrics: Sendable {
    private let connection: Connection
    private let counters: [(counter: Counter, value: @Sendable (ConnectionStatistics) -> Int)]
    private let times: [(counter: FloatingPointCounter, value: @Sendable (ConnectionStatistics) -> Duration)]
    private let levels: [(meter: Meter, value: @Sendable (ConnectionStatistics) -> Int)]
    private let isUp: Meter
    private let last = Mutex(ConnectionStatistics())

    /// Makes a reporter. Nothing is reported yet.
    ///
    /// - Parameters:
    ///   - connection: Whose numbers to report.
    ///   - dimensions: Further dimensions of all metrics beside `messaging.system`: a name for the connection, if there are
    ///     several. One that has the name of a dimension of the library's own stands in its place.
    ///   - factory: Where to; the one that the process has by default.
    public init(
        _ connection: Connection,
        dimensions: [(String, String)] = [],
        factory: (any MetricsFactory)? = nil
    ) {
        self.connection = connection
        let factory = factory ?? MetricsSystem.factory
        let given = Set(dimensions.map { $0.0 })
        // Back ends refuse a name that comes twice, or take either value.
        func notGiven(_ own: [(String, String)]) -> [(String, String)] { own.filter { !given.contains($0.0) } }
        let common = notGiven([MetricName.system]) + dimensions
        counters = MetricName.counters.map {
            let all = common + notGiven(MetricName.operation(of: $0.name))
            return (Counter(label: $0.name, dimensions: all, factory: factory), $0.value)
        }
        times = MetricName.times.map {
            (FloatingPointCounter(label: $0.name, dimensions: common, factory: factory), $0.value)
        }
        levels = MetricName.levels.map {
            (Meter(label: $0.name, dimensions: common, factory: factory), $0.value)
        }
        isUp = Meter(label: "rabbitmq.client.connection.up", dimensions: common, factory: factory)
    }

    /// Reports what has changed since the last time, and how things are.
    public func report() {
        let (now, before) = last.withLock { last in
            // Within the lock: of two that report at once the later would go back to older numbers, and count twice.
            let now = connection.statistics
            let before = last
            last = now
            return (now, before)
        }
        // Without it: what a back end does with a number is its own affair, and it may report in turn.
        for (counter, value) in counters {
            // Read without a common lock, one may lag behind; it never falls.
            let change = value(now) - value(before)
            if change > 0 { counter.increment(by: change) }
        }
        for (counter, value) in times {
            let change = value(now) - value(before)
            if change > .zero { counter.increment(by: change.inSeconds) }
        }
        for (meter, value) in levels { meter.set(value(now)) }
        isUp.set(connection.state == .up ? 1 : 0)
    }

    /// Reports again and again, until the connection has ended for good or the task is cancelled, and once more then.
    ///
    /// - Parameter interval: The time between, at least 10 ms: less counts as that.
    public func report(every interval: Duration) async {
        defer { report() }
        while connection.isOpen {
            report()
            do {
                try await waitForEnd(atMost: interval)
            } catch {
                return
            }
        }
    }

    /// With less, or none, reporting would take all of a processor.
    private static let shortestInterval = Duration.milliseconds(10)

    /// Whoever waits for the last report had else to wait for the whole of the interval that runs.
    ///
    /// - Throws: `CancellationError`.
    private func waitForEnd(atMost interval: Duration) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            // The library's own timer: it takes one that has no end, too.
            group.addTask { try await DeadlineTimer.shared.sleep(for: max(interval, Self.shortestInterval)) }
            group.addTask { [connection] in _ = try await connection.closed }
            defer { group.cancelAll() }
            _ = try await group.next()
        }
    }
}

#if ServiceLifecycleSupport
extension ConnectionMetrics: Service {
    /// Reports every 10 seconds until the service group shuts down, and once more then. Put it before its connection in the
    /// group: so it ends last, and that report has all that the connection did.
    public func run() async throws {
        await cancelWhenGracefulShutdown { await self.report(every: .seconds(10)) }
        // When the connection has ended by itself: a service that returns ends its group, with an error about that, and
        // whoever runs it would not hear why the connection ended.
        try? await gracefulShutdown()
    }
}
#endif

extension Duration {
    fileprivate var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
#endif
