import TestSupport
import Testing

@testable import RabbitMQ

@Suite("A message that does not decode")
struct UndecodablePolicyTests {
    private let consumers = UnconnectedConsumers()
    private let error = AMQPError(.decodingFailed, "no JSON")

    @Test(arguments: [false, true]) func `is settled while its channel is there, and no late settlement then`(
        isStale: Bool
    ) async throws {
        let consumer = consumers.consumer("c")
        let (first, second) = (consumers.message(1, for: consumer), consumers.message(2, for: consumer))
        if isStale { consumers.session.finish(AMQPError(.connectionLost, "lost")) }
        try await UndecodablePolicy.deadLetter.apply(to: first, error)
        let thrown = try await thrownError { [error] in try await UndecodablePolicy.fail.apply(to: second, error) }
        #expect(thrown.code == .decodingFailed)
        #expect(consumers.unsettledCount == (isStale ? 2 : 0))
        let late = consumers.session.tally.staleSettlements.current
        #expect(late == 0)
        withExtendedLifetime(consumer) {}
    }
}
