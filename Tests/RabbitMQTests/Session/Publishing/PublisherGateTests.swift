import Testing

@testable import RabbitMQ

@Suite("a channel's publishers that wait")
struct PublisherGateTests {
    @Test func `are known while they wait`() {
        var gate = PublisherGate()
        #expect(!gate.isAwaited)
        _ = gate.join()
        #expect(gate.isAwaited)
        #expect(gate.takeFlowWaiters().count == 1)
        let admission = OneShot<Void>()
        gate.roomWaiters[ObjectIdentifier(admission)] = admission
        #expect(gate.isAwaited)
    }
}
