import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

/// On channels that were never opened: what a broker delivers is entered in the ledger. With a broker, see
/// `UnsettledTests`.
@Suite("the watch for deliveries that stay unsettled", .timeLimit(.minutes(1)))
struct UnsettledWatchTests {
    private struct Watched {
        let session: ChannelSession
        let log = CapturedLog()

        init(timeout: Duration = .milliseconds(200), number: UInt16 = 7) {
            var configuration = ConnectionConfiguration()
            configuration.logger = log.logger
            configuration.consumerTimeout = timeout
            session = ChannelSession(link: Link(configuration: configuration), number: number)
        }

        var warnings: [CapturedLog.Entry] { log.entries(containing: "unsettled for so long") }

        /// What the last warning says of it.
        func last(_ key: String) -> String? { warnings.last?.metadata[key].map { "\($0)" } }

        func deliver(_ tags: UInt64...) {
            session.state.withLock { state in for tag in tags { state.settlements.delivered(tag) } }
        }

        func begin(_ queue: String) { session.unsettled.begin(queue: queue, session: session) }

        func begin(_ consumerTag: String, _ queue: String) {
            session.unsettled.begin(consumerTag: consumerTag, queue: queue, session: session)
        }
    }

    /// Waits for the warning about a delivery of another channel that comes now. All that watch have looked many times
    /// then: one timer has them look.
    private func letLooksPass() async throws {
        let other = Watched()
        other.deliver(1)
        other.begin("other")
        try await eventually("the warning of the other channel") { !other.warnings.isEmpty }
    }

    @Test func `it warns once of the oldest, when four fifths of the time are over, and then of the next`() async throws
    {
        let watched = Watched()
        let start = ContinuousClock.now
        watched.begin("tag", "b")
        watched.deliver(1, 2, 3)
        watched.begin("a")
        try watched.session.acknowledge(1, multiple: false)
        try await eventually("a warning") { watched.warnings.count == 1 }
        let warning = try #require(watched.warnings.first)
        #expect(warning.description.hasPrefix("warning "))
        #expect(warning.time - start >= .milliseconds(160))
        #expect(watched.last("delivery-tag") == "2")
        #expect(watched.last("queue") == "a, b")
        #expect(watched.last("channel") == "7")
        try await letLooksPass()
        #expect(watched.warnings.count == 1)
        try watched.session.acknowledge(2, multiple: false)
        try await eventually("another warning") { watched.warnings.count == 2 }
        #expect(watched.last("delivery-tag") == "3")
    }

    @Test func `the queue of a consumer that has ended is named until nothing is left of it`() async throws {
        let watched = Watched()
        watched.begin("tag", "old")
        watched.deliver(1)
        watched.session.unsettled.end(consumerTag: "tag")
        try await eventually("a warning") { watched.warnings.count == 1 }
        #expect(watched.last("queue") == "old")
        try watched.session.acknowledge(1, multiple: false)
        try await letLooksPass()
        watched.deliver(2)
        watched.begin("new")
        try await eventually("another warning") { watched.warnings.count == 2 }
        #expect(watched.last("queue") == "new")
    }

    @Test func `it goes on watching while a consumer lives, though all is settled meanwhile`() async throws {
        let watched = Watched()
        watched.begin("tag", "q")
        try await letLooksPass()
        watched.deliver(1)
        try await eventually("a warning") { watched.warnings.count == 1 }
    }

    @Test func `of many queues the latest eight are known, and five are named`() async throws {
        let watched = Watched()
        watched.deliver(1)
        for number in 10..<22 { watched.begin("q\(number)") }
        // What is known already pushes out nobody.
        for _ in 0..<10 { watched.begin("q21") }
        try await eventually("a warning") { watched.warnings.count == 1 }
        #expect(watched.last("queue") == "q14, q15, q16, q17, q18")
    }

    @Test func `nothing is said of what is settled in time, of a channel that has ended, or with a timeout of zero`()
        async throws
    {
        let (prompt, ended, unwatched) = (Watched(), Watched(), Watched(timeout: .zero))
        for watched in [prompt, ended, unwatched] {
            watched.deliver(1)
            watched.begin("tag", "q")
        }
        try prompt.session.acknowledge(1, multiple: false)
        ended.session.finish(AMQPError(.channelClosed, "closed"))
        try await letLooksPass()
        for watched in [prompt, ended, unwatched] { #expect(watched.warnings.isEmpty) }
    }

    @Test func `it keeps no channel alive`() async throws {
        weak var session: ChannelSession?
        do {
            let watched = Watched()
            watched.deliver(1)
            watched.begin("tag", "q")
            session = watched.session
        }
        // A look that is under way has it for a moment.
        try await eventually("the channel is freed") { session == nil }
    }
}
