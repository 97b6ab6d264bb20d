import RabbitMQ
import RabbitMQTesting
import TestSupport
import Testing

/// The in-process broker is held to what a real one does.
@Suite(.timeLimit(.minutes(1))) struct ParityTests {
    @Test(arguments: Scenario.all)
    func `the in-process broker does as the real one`(_ scenario: Scenario) async throws {
        var options = InProcessBroker.Options()
        // As the other one: what they do differs by it, and what the client asks for.
        options.version = "\(try await BrokerVersion.current).0"
        let here = try await InProcessBroker.run(options) { try await scenario.body(Stage($0.configuration)) }
        let there = try await scenario.body(Stage(TestBroker.configuration))
        #expect(here == there)
        #expect(!here.isEmpty)
    }
}

/// Without a real broker: they end at all, and at once.
@Suite(.timeLimit(.minutes(1))) struct ScenarioTests {
    @Test(arguments: Scenario.all)
    func `every scenario runs on the in-process broker alone`(_ scenario: Scenario) async throws {
        let seen = try await InProcessBroker.run { try await scenario.body(Stage($0.configuration)) }
        #expect(!seen.isEmpty)
    }

    /// The real brokers are compared one at a time; that they differ from each other just so, this says.
    @Test(arguments: Scenario.all)
    func `what it does changes with the versions that the table names, and with no other`(
        _ scenario: Scenario
    ) async throws {
        var last = try await account(of: scenario, "3.10")
        for version in [BrokerVersion.v3_13, .v4_0, .v4_1, .v4_3] {
            let next = try await account(of: scenario, "\(version)")
            let isNamed = scenario.changes.contains { $0.version == version }
            #expect((next != last) == isNamed, "\(version): \(last), then \(next)")
            last = next
        }
    }

    private func account(of scenario: Scenario, _ version: String) async throws -> [String] {
        var options = InProcessBroker.Options()
        options.version = "\(version).0"
        return try await InProcessBroker.run(options) { try await scenario.body(Stage($0.configuration)) }
    }
}
