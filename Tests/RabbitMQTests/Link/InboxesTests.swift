import Testing

@testable import RabbitMQ

@Suite("who receives the frames of a link's channels")
struct InboxesTests {
    /// Counts as one whose consumers got something.
    private final class Inbox: ChannelInbox {
        var isInBatch = false
        var delivered: Int { 0 }
        var recipients: Int { 2 }
        var credit = 7
        var slowConsumers: [SlowConsumer] { [] }
        var unconfirmed: Int { 0 }
        var settlementWriter: (any SettlementWriter)? { nil }
        func receive(_ method: ServerMethod) -> Bool { false }
        func receive(_ delivery: DeliveryView) {}
        func receive(_ deliveries: WholeDeliveries, from offset: Int, in chunk: ReceiveChunk, at start: Int) -> Int {
            offset
        }
        func receive(_ header: consuming ContentHeader) {}
        func receive(body: UnsafeRawBufferPointer) {}
        func endBatch(isForMany: Bool) { isInBatch = false }
        func retireConsumers(_ reason: AMQPError, then: @escaping () -> Void) { then() }
        func end(_ error: AMQPError) {}
    }

    private var inboxes = Inboxes()
    private let first = Inbox()
    private let second = Inbox()

    @Test mutating func `are found by their numbers until they are released, which is remembered`() {
        inboxes.add(first, 1)
        inboxes.add(second, 2047)
        #expect(inboxes[1] === first && inboxes[2047] === second)
        #expect(inboxes[2] == nil && inboxes[2048] == nil)
        #expect(inboxes.all.count == 2)
        #expect(!inboxes.wasTaken(1))
        inboxes.release(1)
        inboxes.release(3000)
        #expect(inboxes[1] == nil)
        #expect(inboxes.wasTaken(1) && inboxes.wasTaken(3000) && !inboxes.wasTaken(2047))
        inboxes.add(second, 1)
        #expect(inboxes[1] === second && inboxes.wasTaken(1))
    }

    @Test mutating func `those that got something in a batch are known once each`() {
        inboxes.add(first, 1)
        inboxes.add(second, 2)
        for _ in 1...3 { inboxes.touch(second, 2) }
        inboxes.touch(first, 1)
        #expect(inboxes.touched == [2, 1])
        #expect(inboxes.recipients == 4)
        inboxes.release(2)
        #expect(inboxes.recipients == 2)
        inboxes.endBatch()
        #expect(inboxes.touched.isEmpty && inboxes.recipients == 0)
    }

    @Test mutating func `what may still come is what the last batch's channels say, the least of it`() {
        inboxes.add(first, 1)
        inboxes.add(second, 2)
        second.credit = 3
        #expect(inboxes.credit == .max)
        inboxes.touch(first, 1)
        inboxes.endBatch()
        #expect(inboxes.credit == 7)
        first.isInBatch = false
        inboxes.touch(first, 1)
        inboxes.touch(second, 2)
        inboxes.endBatch()
        // One in which nothing came.
        inboxes.endBatch()
        #expect(inboxes.credit == 3)
        inboxes.release(1)
        #expect(inboxes.credit == 0)
    }

    @Test mutating func `the end takes all of them`() {
        inboxes.add(first, 1)
        inboxes.touch(first, 1)
        #expect(inboxes.removeAll().count == 1)
        #expect(inboxes.all.isEmpty && inboxes.touched.isEmpty)
    }
}
