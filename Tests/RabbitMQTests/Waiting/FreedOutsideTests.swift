import TestSupport
import Testing

@testable import RabbitMQ

/// The last that is held may use the very thing that held it: under the lock, it would wait for itself.
@Suite("what a closure held that was given away", .timeLimit(.minutes(1)))
struct FreedOutsideTests {
    private final class Holder: Sendable {
        private let atEnd: @Sendable () -> Void

        init(_ atEnd: @escaping @Sendable () -> Void) { self.atEnd = atEnd }

        deinit { atEnd() }
    }

    /// A closure that alone keeps something, whose end calls `atEnd`.
    private func holding(_ atEnd: @escaping @Sendable () -> Void) -> @Sendable () -> Void {
        let holder = Holder(atEnd)
        return { withExtendedLifetime(holder) {} }
    }

    @Test func `is freed outside of the timer's lock`() async throws {
        let timer = DeadlineTimer()
        try timer.start()
        let ended = Collected<Void>()
        _ = timer.add(
            after: .milliseconds(1),
            expire: holding {
                timer.remove(0)
                ended.add(())
            }
        )
        try await eventually("it is freed") { ended.count == 1 }
        try await timer.sleep(for: .milliseconds(1))
    }

    @Test func `is freed outside of a channel's locks, when another handler takes its place`() async throws {
        try await ScriptedPeer.withChannel { _, _, channel in
            let ended = Collected<Bool>()
            func install() {
                let held = holding {
                    // As an object does that takes its handler away at its end.
                    channel.setReturnHandler(nil)
                    ended.add(channel.isOpen)
                }
                channel.setReturnHandler { _ in held() }
            }
            install()
            #expect(ended.count == 0)
            channel.setReturnHandler { _ in }
            #expect(ended.all == [true])
            install()
            channel.setReturnHandler(nil)
            #expect(ended.all == [true, true])
        }
    }

    @Test func `is freed outside of the pool's lock`() async throws {
        let pool = BlockingPool("test.pool", most: 1)
        let ended = Collected<Int>()
        try pool.start(holding { ended.add(pool.threadCount) })
        try await eventually("it is freed") { ended.all == [1] }
        try await pool.run {}
    }
}
