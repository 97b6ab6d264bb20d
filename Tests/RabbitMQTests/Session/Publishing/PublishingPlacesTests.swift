import Synchronization
import Testing

@testable import RabbitMQ

@Suite("places among the unconfirmed")
struct PublishingPlacesTests {
    @Test func `many who have given up are passed over at once, on any stack`() {
        let session = ChannelSession(link: Link(configuration: ConnectionConfiguration()), number: 1)
        var ledger = ConfirmLedger(limit: 1)
        let first = ledger.reserve()
        #expect(first == nil)
        _ = ledger.publish(Message(body: []), to: "e", on: session, hasPlace: true, kept: nil)
        for _ in 0..<30_000 { ledger.reserve()?.fail(CancellationError()) }
        let last = ledger.reserve()
        session.state.withLock { $0.confirms = ledger }
        session.settlePublished(1, multiple: false, error: nil)
        #expect(last?.isSettled == true)
    }
}
