import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("How old deliveries are")
struct DeliveryAgesTests {
    @Test("the age counts from the look that found the delivery")
    func ages() {
        var ages = DeliveryAges()
        #expect(ages.look(end: 1, oldest: nil, now: 100) == nil)
        #expect(ages.look(end: 5, oldest: 1, now: 200) == 0)
        #expect(ages.look(end: 5, oldest: 1, now: 300) == 100)
        #expect(ages.look(end: 9, oldest: 1, now: 400) == 200)
        // 4 came with 1, 5 later.
        #expect(ages.look(end: 9, oldest: 4, now: 500) == 300)
        #expect(ages.look(end: 9, oldest: 5, now: 600) == 200)
        #expect(ages.look(end: 9, oldest: nil, now: 700) == nil)
        #expect(ages.look(end: 10, oldest: 9, now: 800) == 0)
    }

    @Test("a delivery that waits for ever costs no more and more memory, and its age is right")
    func manyLooks() {
        var ages = DeliveryAges()
        for look in 0..<10_000 {
            let age = ages.look(end: UInt64(look) + 2, oldest: 1, now: UInt64(look) * 10)
            #expect(age == UInt64(look) * 10)
        }
        // Later ones count as younger than they are, never as older.
        let age = ages.look(end: 10_001, oldest: 5000, now: 100_000)
        #expect(age.map { $0 <= 50_020 } == true)
    }

    @Test("deliveries that are settled soon never get old, though some are unsettled at each look")
    func settledSoon() {
        var ledger = SettlementLedger()
        var ages = DeliveryAges()
        var greatest: UInt64 = 0
        for tag in 1...1000 as ClosedRange<UInt64> {
            ledger.delivered(tag)
            if tag > 3 { _ = ledger.acknowledge(tag - 3, multiple: false) }
            ledger.takeAcknowledgements { _, _ in }
            let age = ages.look(end: ledger.end, oldest: ledger.oldestUnsettled, now: tag * 100)
            greatest = max(greatest, age ?? 0)
        }
        #expect(greatest == 200)
    }

    @Test("the ledger knows its oldest unsettled delivery, and how far it has come")
    func ledger() {
        var ledger = SettlementLedger()
        #expect(ledger.end == 1 && ledger.oldestUnsettled == nil)
        for tag in 1...5 { ledger.delivered(UInt64(tag)) }
        #expect(ledger.end == 6 && ledger.oldestUnsettled == 1)
        _ = ledger.acknowledge(2, multiple: true)
        #expect(ledger.end == 6 && ledger.oldestUnsettled == 3)
        _ = ledger.reject(3, multiple: false)
        ledger.takeAcknowledgements { _, _ in }
        #expect(ledger.oldestUnsettled == 4)
        ledger.delivered(1_000_000)
        #expect(ledger.end == 1_000_001 && ledger.oldestUnsettled == 4)
        _ = ledger.acknowledge(5, multiple: true)
        #expect(ledger.oldestUnsettled == 1_000_000)
        _ = ledger.reject(1_000_000, multiple: false)
        #expect(ledger.oldestUnsettled == nil)
    }

    @Test("deliveries that need no acknowledgement are not in the ledger, however they come", .timeLimit(.minutes(1)))
    func withoutAcknowledgement() async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue, noAck: true)
            try await peer.send(PeerFrame.delivery([1], tag: 1, consumer: deliveries.consumer.tag))
            // A body of two frames, which is put together.
            let parts = PeerFrame.delivery([2, 2], tag: 2, consumer: deliveries.consumer.tag)
            try await peer.send([parts[0], parts[1], .body(channel: 1, [2]), .body(channel: 1, [2])])
            var iterator = deliveries.makeAsyncIterator()
            #expect(try await iterator.next()?.deliveryTag == 1)
            #expect(try await iterator.next()?.deliveryTag == 2)
            async let got = queue.get(noAck: true)
            try await peer.expect(.basicGet)
            try await peer.send(PeerFrame.gotten([], tag: 3))
            #expect(try await got?.deliveryTag == 3)
            let ledger = channel.session.state.withLock { $0.settlements }
            #expect(ledger.end == 1 && ledger.oldestUnsettled == nil)
        }
    }
}
