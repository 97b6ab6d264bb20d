#if Tool
internal import ArgumentParser
internal import RabbitMQ

/// What is measured with somebody who watches, and without, says what that costs. Metrics and spans go nowhere: what a back
/// end takes for them is not this library's.
struct PerfWatchers: ParsableArguments {
    @Option(help: "Remember so many frames, sent and received (the flight recorder).")
    var recorder = 0

    @Flag(help: "Have metrics reported each second, and durations as they happen; needs the trait MetricsSupport.")
    var metrics = false

    @Flag(help: "Have a span made of each message; needs the trait DistributedTracingSupport.")
    var traces = false

    /// Refuses what this tool was built without.
    func validate() throws {
        guard (0...100_000).contains(recorder) else {
            throw ValidationError("--recorder is \(recorder); it must be from 0 to 100000.")
        }
        #if !MetricsSupport
        guard !metrics else { throw ValidationError("--metrics: rmq was built without the trait MetricsSupport.") }
        #endif
        #if !DistributedTracingSupport
        guard !traces else {
            throw ValidationError("--traces: rmq was built without the trait DistributedTracingSupport.")
        }
        #endif
    }

    /// Has a connection watched as it is asked for.
    func observe(_ configuration: inout ConnectionConfiguration) {
        configuration.recordedFrames = recorder
        #if MetricsSupport
        if metrics { configuration.measureDurations() }
        #endif
        #if DistributedTracingSupport
        if traces { configuration.traceMessages() }
        #endif
    }

    /// Has what connections count reported, as a service does, until the task is cancelled; nil if nobody asks for it.
    func reporting(_ connections: [Connection]) -> Task<Void, Never>? {
        #if MetricsSupport
        guard metrics else { return nil }
        return Task {
            await withTaskGroup(of: Void.self) { group in
                for connection in connections {
                    group.addTask { await ConnectionMetrics(connection).report(every: .seconds(1)) }
                }
            }
        }
        #else
        return nil
        #endif
    }
}
#endif
