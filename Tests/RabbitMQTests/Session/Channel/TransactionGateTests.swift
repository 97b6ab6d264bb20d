import Testing

@testable import RabbitMQ

@Suite("the gate of a channel's transactions")
struct TransactionGateTests {
    private var gate = TransactionGate()
    private let item = HeldBack.method(.queuePurge(name: "q"))

    @Test mutating func `the turn goes from one to the next`() {
        #expect(gate.isFree)
        #expect(gate.take() == nil)
        let second = gate.take()
        #expect(second != nil && !gate.isFree)
        #expect(gate.pass() === second)
        #expect(gate.pass() == nil)
        #expect(gate.isFree)
    }

    @Test mutating func `only what comes before a commit's answer is held back`() {
        #expect(gate.holdBack(item) == false)
        _ = gate.take()
        gate.commit()
        #expect(gate.isCommitting)
        #expect(gate.holdBack(item) == true)
        #expect(gate.holdBack(.method(.channelFlowOk(active: true))) == false)
        #expect(gate.endCommit() == [item])
        #expect(!gate.isCommitting && !gate.isFree)
        #expect(gate.endCommit() == [])
    }

    @Test mutating func `the end drops what is held back, and ends the waits`() {
        _ = gate.take()
        gate.commit()
        _ = gate.holdBack(item)
        _ = gate.take()
        #expect(gate.dropHeldBack() == [item])
        #expect(gate.endWaits().count == 1)
        #expect(gate.waiting.isEmpty)
    }
}
