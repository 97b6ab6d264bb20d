#if Tool
internal import Foundation
internal import Histogram

/// Looks once a second at how a run goes, and shows it in a live line.
struct LoadSampler: Sendable {
    let tally: Tally
    /// How often each message is received.
    let copies: Int
    let start: ContinuousClock.Instant
    let isShown: Bool

    struct Findings: Sendable {
        var timeline = Timeline()
        /// In nanoseconds.
        var latencies = Histogram<UInt64>(numberOfSignificantValueDigits: .three)
        var published = 0
        var received = 0
        var mostWaiting = 0
        fileprivate var seconds = 0.0
    }

    /// Goes on until it is cancelled.
    func run() async -> Findings {
        var findings = Findings()
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(1))
            look(&findings)
        }
        if isShown { LiveLine.clear() }
        return findings
    }

    private func look(_ findings: inout Findings) {
        var latencies = Histogram<UInt64>(numberOfSignificantValueDigits: .three)
        for log in tally.latencies {
            for value in log.take().recordedValues() {
                latencies.record(value.value, count: value.count)
                findings.latencies.record(value.value, count: value.count)
            }
        }
        // Before what was published: what came is not to seem more than that.
        let received = tally.received
        let published = tally.published
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let point = Timeline.Point(
            seconds: seconds,
            published: published - findings.published,
            received: received - findings.received,
            waiting: max(0, published - received / copies),
            p50Us: Double(latencies.valueAtPercentile(50)) / 1000,
            p99Us: Double(latencies.valueAtPercentile(99)) / 1000
        )
        if isShown { show(point, for: seconds - findings.seconds) }
        findings.timeline.add(point)
        findings.published = published
        findings.received = received
        findings.mostWaiting = max(findings.mostWaiting, point.waiting)
        findings.seconds = seconds
    }

    private func show(_ point: Timeline.Point, for seconds: Double) {
        let each = max(seconds, 0.001)
        LiveLine.show(
            String(
                format: "%6.0f s  published %.0f/s  received %.0f/s  waiting %ld  median %.2f ms  99 %% %.2f ms",
                point.seconds,
                Double(point.published) / each,
                Double(point.received) / each,
                point.waiting,
                point.p50Us / 1000,
                point.p99Us / 1000
            )
        )
    }
}
#endif
