#if Tool
internal import ArgumentParser
internal import RabbitMQ

/// What is measured with somebody who watches, and without, says what that costs. Metrics and spans go nowhere: what a back
/// end takes for them is not this library's.
extension PerfOptions {
    /// Refuses what this tool was built without.
    func validateObservers() throws {
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
