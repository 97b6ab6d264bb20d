#if MetricsSupport
public import CoreMetrics
internal import Synchronization

extension ConnectionConfiguration {
    /// Has swift-metrics told how long things take, as they happen, in timers:
    ///
    /// - `messaging.process.duration`: a handler's call, for callbacks, ``IncomingMessage/process(onFailure:_:)`` and all that
    ///   is made of it, handlers with a ``RetryPolicy``, and those of RPC servers; by `messaging.destination.name`, the queue,
    ///   which is amq.gen for all those whose names the broker has made up.
    /// - `messaging.client.operation.duration`: ``Exchange/publishConfirmed(_:routingKey:mandatory:timeout:)`` and
    ///   ``Publisher/publish(_:to:routingKey:mandatory:timeout:)``, until the broker has confirmed, all waits and repetitions
    ///   included; of ``Publisher/publish(contentsOf:to:routingKey:mandatory:timeout:)`` each message that was handed over,
    ///   until its outcome was looked at, in order; by `messaging.destination.name`, the exchange.
    ///
    /// Those that fail have an `error.type` too. One costs two looks at the clock and what the back end takes for it; messages
    /// that are not handled or published so cost nothing.
    ///
    /// - Parameter factory: Where to; the one that the process has by default.
    public mutating func measureDurations(_ factory: (any MetricsFactory)? = nil) {
        meter = DurationTimers(factory ?? MetricsSystem.factory)
    }
}

/// Timers by what they are about, made as they are needed.
private final class DurationTimers: DurationMeter {
    private struct Key: Hashable {
        let isProcess: Bool
        let destination: String
        var error: String?
    }

    private let factory: any MetricsFactory
    private let recorders = Mutex<[Key: DurationRecorder]>([:])

    /// Back ends keep each for ever: names that are made up as the program runs share one.
    private static let most = 500

    init(_ factory: any MetricsFactory) { self.factory = factory }

    func publishing(to exchange: String) -> DurationRecorder {
        let destination = exchange.isEmpty ? MessagingName.defaultExchange : exchange
        return recorder(Key(isProcess: false, destination: destination))
    }

    func processing(of queue: String) -> DurationRecorder {
        recorder(Key(isProcess: true, destination: MessagingName.ofFew(queue: queue)))
    }

    private func recorder(_ wanted: Key) -> DurationRecorder {
        let (known, key) = recorders.withLock { recorders -> (DurationRecorder?, Key) in
            let key =
                recorders.count < Self.most || recorders[wanted] != nil
                ? wanted : Key(isProcess: wanted.isProcess, destination: "_OTHER", error: wanted.error)
            return (recorders[key], key)
        }
        if let known { return known }
        // Without the lock, for the back end makes its part of it. Of two that are made at once it makes one: it goes by names.
        let made = make(key)
        return recorders.withLock { recorders in
            if let recorder = recorders[key] { return recorder }
            recorders[key] = made
            return made
        }
    }

    /// Makes what takes one kind of things: by a timer of its own those that go well, by that of their error the others.
    private func make(_ key: Key) -> DurationRecorder {
        let timer = makeTimer(key)
        // Weakly, since it is kept here.
        return DurationRecorder { [weak self] nanoseconds, error in
            if let error, key.error == nil {
                var failed = key
                failed.error = MessagingName.errorType(error)
                self?.recorder(failed).took(nanoseconds, nil)
            } else {
                timer.recordNanoseconds(Int64(clamping: nanoseconds))
            }
        }
    }

    private func makeTimer(_ key: Key) -> Timer {
        var dimensions = [
            MetricName.system, (MetricName.operationName, key.isProcess ? "process" : "publish"),
            ("messaging.destination.name", key.destination),
        ]
        if !key.isProcess { dimensions.append(("messaging.operation.type", "send")) }
        if let error = key.error { dimensions.append(("error.type", error)) }
        return Timer(
            label: key.isProcess ? MetricName.processDuration : MetricName.operationDuration,
            dimensions: dimensions,
            preferredDisplayUnit: .seconds,
            factory: factory
        )
    }
}
#endif
