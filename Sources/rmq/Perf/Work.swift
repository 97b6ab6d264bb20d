#if Tool
internal import Synchronization

/// What a program computes between two messages: always the same number of steps. One that went on until a clock says so
/// would take what others do to the processor meanwhile for its own work.
struct Work {
    private let steps: Int
    private static let sink = Atomic<UInt64>(0)

    /// - Parameter microseconds: How long it takes on a processor of its own.
    init(microseconds: Double) {
        guard microseconds > 0 else {
            steps = 0
            return
        }
        let sample = 2_000_000
        Self.compute(sample)
        let start = Meter.threadSeconds
        Self.compute(sample)
        steps = max(1, Int(Double(sample) * microseconds / ((Meter.threadSeconds - start) * 1e6)))
    }

    @inline(__always)
    func run() { if steps > 0 { Self.compute(steps) } }

    /// How much CPU time it takes, in seconds, as measured now.
    var cpuSeconds: Double {
        guard steps > 0 else { return 0 }
        let count = max(1, 20_000_000 / steps)
        let start = Meter.threadSeconds
        for _ in 0..<count { run() }
        return (Meter.threadSeconds - start) / Double(count)
    }

    @inline(never)
    private static func compute(_ steps: Int) {
        var value = sink.load(ordering: .relaxed)
        for _ in 0..<steps { value = value &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407 }
        sink.store(value, ordering: .relaxed)
    }
}
#endif
