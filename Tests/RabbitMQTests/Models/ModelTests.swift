import Testing

@testable import RabbitMQ

@Suite("what holds whatever the order", .timeLimit(.minutes(ModelCheck.isLong ? 240 : 10)))
struct ModelTests {
    @Test func `each message has one outcome, and nobody waits while places are free`() {
        ModelCheck().run(ConfirmLedgerModel.self)
    }

    @Test func `each delivery is settled once, and the broker hears of each`() {
        ModelCheck().run(SettlementLedgerModel.self)
    }

    @Test func `an outage is seen to by one, and ends in a connection or for good`() {
        ModelCheck().run(RecoveryStateModel.self)
    }

    @Test func `publishers come through in their order, as many as there is room for`() {
        ModelCheck().run(AdmissionModel.self)
    }

    @Test func `publishers wait for the flow and for commits, and for nothing else`() {
        ModelCheck().run(FlowModel.self)
    }
}
