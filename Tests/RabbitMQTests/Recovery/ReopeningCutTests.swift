import TestSupport
import Testing

@testable import RabbitMQ

@Suite("A channel whose session ends as it is opened", .timeLimit(.minutes(1)))
struct ReopeningCutTests {
    @Test func `says so to whoever waits for answers on it`() async throws {
        try await ScriptedClient.run { client in
            let core = client.channel.core
            let told = Collected<AMQPError>()
            core.onInterruption { told.add($0) }
            let passing = AMQPError(.resourceLocked, "it passes")
            let isReplaced = core.decideReplacement(of: core.session, after: passing)
            let reopening = try core.beginReopening(on: core.connection.link)
            let isOpen = try await core.finishReopening(reopening)
            #expect(isReplaced && isOpen && told.count == 0)
            // From here on messages may go to it at any moment: as if the end came just behind the first of them.
            let isReplacedAgain = core.decideReplacement(of: reopening.session, after: passing)
            let error = #expect(throws: AMQPError.self) { try core.completeReopening(reopening) }
            #expect(isReplacedAgain && error?.code == .resourceLocked)
            #expect(told.all.map(\.code) == [.resourceLocked])
        }
    }
}
