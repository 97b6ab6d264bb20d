import TestSupport
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

    // MARK: The check itself

    /// Wrong as soon as three were added since the last time that it was emptied, and it is emptied.
    private struct PlantedMistake: CheckedModel {
        enum Step: Sendable { case add, nothing, empty }

        private var count = 0

        init(_ random: inout SplitMix) {}

        static func step(_ random: inout SplitMix) -> Step { random.pick([.add, .nothing, .empty]) }

        mutating func apply(_ step: Step) -> String? {
            switch step {
            case .add: count += 1
            case .nothing: break
            case .empty:
                if count >= 3 { return "three were added" }
                count = 0
            }
            return nil
        }

        mutating func finish() -> String? { nil }
    }

    @Test func `a mistake is found, and told with the seed and the fewest steps`() {
        guard let failure = ModelCheck().firstFailure(of: PlantedMistake.self) else {
            Issue.record("it was not found")
            return
        }
        #expect(failure.steps == [.add, .add, .add, .empty])
        #expect(failure.what.contains("seed \(ModelCheck().seed) run ") && failure.what.hasSuffix("three were added"))
    }
}
