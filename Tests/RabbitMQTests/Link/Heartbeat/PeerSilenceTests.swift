import Testing

@testable import RabbitMQ

@Suite("whether a peer is gone from which nothing is read")
struct PeerSilenceTests {
    private func silence(
        unacknowledged: Int = 0,
        probes: Int = 0,
        acknowledgement: Int = 0,
        data: Int = 0,
        fill: Double = 1
    ) -> PeerSilence {
        PeerSilence(
            unacknowledged: unacknowledged,
            unansweredProbes: probes,
            sinceAcknowledgement: acknowledgement,
            sinceData: data,
            fill: fill
        )
    }

    @Test func `it is when what was sent is not acknowledged for so long`() {
        #expect(silence(unacknowledged: 1, acknowledgement: 6000).isGone(after: 6000))
        #expect(!silence(unacknowledged: 1, acknowledgement: 5999).isGone(after: 6000))
        #expect(!silence(unacknowledged: 0, acknowledgement: 60_000).isGone(after: 6000))
    }

    @Test func `it is not when it has no room, as long as it says so`() {
        #expect(!silence(probes: 1, acknowledgement: 60_000).isGone(after: 6000))
        #expect(silence(probes: 3, acknowledgement: 60_000).isGone(after: 6000))
    }

    @Test func `it is when there is room for its heartbeats, and none comes`() {
        #expect(silence(data: 6000, fill: 0.1).isGone(after: 6000))
        #expect(!silence(data: 5999, fill: 0.1).isGone(after: 6000))
        #expect(!silence(data: 60_000, fill: 0.9).isGone(after: 6000))
    }

    @Test func `what is no TCP connection is not judged`() {
        #expect(PeerSilence(of: 0) == nil)
        #expect(PeerSilence(of: -1) == nil)
    }
}
