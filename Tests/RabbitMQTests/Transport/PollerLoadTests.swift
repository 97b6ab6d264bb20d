import Testing

@testable import RabbitMQ

@Suite("whether the poller's thread keeps up")
struct PollerLoadTests {
    private var load = PollerLoad()
    private var now: UInt64 = 1_000_000_000

    /// Expects whether it has time after a wait, and works for a while then.
    private mutating func expect(
        _ expected: Bool,
        afterWait wait: UInt64,
        thenWorks work: UInt64,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let hasTime = load.waited(from: now, to: now + wait)
        #expect(hasTime == expected, sourceLocation: sourceLocation)
        now += wait + work
    }

    @Test mutating func `it has time until it was busy for long, and again after a pause`() {
        expect(true, afterWait: 1_000_000, thenWorks: 100_000)
        // Something is ready each time.
        for _ in 0..<40 { expect(true, afterWait: 1_000, thenWorks: 100_000) }
        expect(true, afterWait: 0, thenWorks: PollerLoad.longestBusy)
        expect(false, afterWait: 1_000, thenWorks: 10_000)
        expect(false, afterWait: PollerLoad.pause - 1, thenWorks: 10_000)
        expect(true, afterWait: PollerLoad.pause, thenWorks: 10_000)
        expect(true, afterWait: 0, thenWorks: 0)
    }
}
