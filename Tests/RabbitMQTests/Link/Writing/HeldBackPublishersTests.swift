import Testing

@testable import RabbitMQ

@Suite("publishers that are held back")
struct HeldBackPublishersTests {
    @Test func `are let through in order, as far as there is room, the last one beyond it`() {
        var heldBack = HeldBackPublishers()
        let all = [60, 60, 10].map { heldBack.hold($0) }
        let admitted = heldBack.admit(pending: 20, upTo: 100)
        #expect(admitted.map { ObjectIdentifier($0.turn) } == all.prefix(2).map { ObjectIdentifier($0) })
        #expect(heldBack.promised == 120 && heldBack.count == 1)
        #expect(heldBack.admit(pending: 0, upTo: 100).isEmpty)
        heldBack.redeem(60)
        #expect(heldBack.admit(pending: 30, upTo: 100).map(\.wish) == [10])
        #expect(heldBack.isEmpty)
    }

    @Test func `are forgotten when they give up while nobody is let through`() {
        var heldBack = HeldBackPublishers()
        let stays = heldBack.hold(1)
        for _ in 0..<1_000 {
            heldBack.hold(1).fail(CancellationError())
            heldBack.withdraw()
            #expect(heldBack.count <= 3)
        }
        #expect(heldBack.removeAll().map { ObjectIdentifier($0.turn) } == [ObjectIdentifier(stays)])
        #expect(heldBack.promised == 0)
    }
}
