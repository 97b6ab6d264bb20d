import Testing

@testable import RabbitMQ

@Suite("publishers that are held back")
struct HeldBackPublishersTests {
    private func sizes(_ publishers: [HeldBackPublishers.Publisher]) -> [Int] { publishers.map(\.wish) }

    @Test func `first come, first served, as long as there is room`() {
        var line = HeldBackPublishers()
        let waiting = [10, 20, 30, 40].map { line.hold($0) }
        #expect(line.count == 4 && !line.isEmpty)
        #expect(line.admit(pending: 100, upTo: 100).isEmpty)
        let admitted = line.admit(pending: 75, upTo: 100)
        #expect(sizes(admitted) == [10, 20])
        #expect(admitted[0].signal === waiting[0] && admitted[1].signal === waiting[1])
        #expect(waiting.allSatisfy { !$0.isSettled })
        #expect(line.count == 2)
    }

    @Test func `the last one may go beyond the mark, however large it is`() {
        var line = HeldBackPublishers()
        for size in [1_000_000, 1] { _ = line.hold(size) }
        #expect(sizes(line.admit(pending: 99, upTo: 100)) == [1_000_000])
        #expect(line.promised == 1_000_000)
    }

    @Test func `what is promised counts until it is appended, or never will be`() {
        var line = HeldBackPublishers()
        for size in [60, 60, 60, 60] { _ = line.hold(size) }
        #expect(sizes(line.admit(pending: 0, upTo: 100)) == [60, 60])
        #expect(line.promised == 120)
        #expect(line.admit(pending: 0, upTo: 100).isEmpty)
        // One has appended its message, which waits to be written.
        line.redeem(60)
        #expect(line.admit(pending: 60, upTo: 100).isEmpty)
        #expect(sizes(line.admit(pending: 39, upTo: 100)) == [60])
        // The others have given up.
        line.redeem(120)
        #expect(line.promised == 0)
        #expect(sizes(line.admit(pending: 99, upTo: 100)) == [60])
        #expect(line.isEmpty)
    }

    @Test func `in the end all come out, in their order`() {
        var line = HeldBackPublishers()
        #expect(line.removeAll().isEmpty)
        for size in 1...5 { _ = line.hold(size) }
        #expect(sizes(line.removeAll()) == [1, 2, 3, 4, 5])
        #expect(line.isEmpty)
    }

    @Test func `are forgotten when they give up while nobody is let through`() {
        var heldBack = HeldBackPublishers()
        let stays = heldBack.hold(1)
        for _ in 0..<1_000 {
            heldBack.hold(1).fail(CancellationError())
            heldBack.withdraw()
            #expect(heldBack.count <= 3)
        }
        #expect(heldBack.removeAll().map { ObjectIdentifier($0.signal) } == [ObjectIdentifier(stays)])
        #expect(heldBack.promised == 0)
    }
}
