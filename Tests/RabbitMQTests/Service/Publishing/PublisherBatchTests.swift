import TestSupport
import Testing

@testable import RabbitMQ

@Suite("Many messages of a publisher that the broker refuses", .timeLimit(.minutes(1)))
struct PublisherBatchTests {
    @Test func `are published again after a pause, which one does for all of them`() async throws {
        try await ScriptedClient.run([ScriptedClient.script { $0.confirms = false }]) { client in
            var options = Publisher.Options()
            options.nackedAgain = 1
            let publisher = try await client.connection.openPublisher(options)
            let (session, number) = (try client.broker.session, UInt16(publisher.channel.number))
            let count = 300
            let messages = (0..<count).map { Message(body: Array("\($0)".utf8)) }
            let publishing = Task { await publisher.publish(contentsOf: messages, routingKey: "q") }
            try await eventually("all have come") { session.published.count == count }
            let start = ContinuousClock.now
            try await session.peer.send(.basicNack, channel: number) {
                $0.longLong(UInt64(count))
                $0.octet(1)
            }
            try await eventually("the first comes again") { session.published.count > count }
            let again = ContinuousClock.now
            #expect(again - start >= .milliseconds(25))
            for more in 1...count {
                try await eventually("\(more) have come again") { session.published.count >= count + more }
                try await session.confirmAll(channel: number)
            }
            let outcomes = await publishing.value
            // With a pause of 25 ms at least for each, they took 7.5 s.
            #expect(ContinuousClock.now - again < .seconds(7))
            #expect(outcomes.count == count)
            for outcome in outcomes { #expect(throws: Never.self) { try outcome.get() } }
            #expect(session.published.suffix(count).map(\.body) == messages.map(\.body))
        }
    }
}
