import TestSupport
import Testing

/// Guards what makes the library cheap where little is sent at a time: counts, which don't depend on the machine's load.
@Suite("System calls and wake-ups", .timeLimit(.minutes(2)))
struct CallTests {
    /// For each operation.
    private struct Counts {
        var sends: Double
        var receives: Double
        /// How often a thread went to sleep, which something has to wake again.
        var sleeps: Double
    }

    private static func counts(_ output: String) throws -> [String: Counts] {
        var all: [String: Counts] = [:]
        for line in output.split(separator: "\n") {
            let words = line.split(separator: " ")
            let numbers = words.dropFirst().compactMap { Double($0) }
            try #require(numbers.count == 3, "\(output)")
            all[String(words[0])] = Counts(sends: numbers[0], receives: numbers[1], sleeps: numbers[2])
        }
        return all
    }

    /// The probe sleeps once itself between two publishes.
    private static let mostOfPublish = 1.5
    /// The poller's thread sleeps until the confirm comes, and the task's thread until that wakes it.
    private static let mostOfConfirm = 2.5
    /// The broker sends several together.
    private static let mostOfDelivery = 0.5

    @Test("a lone publish is one send and wakes nobody, a confirm wakes its task, a delivery among others nobody")
    func counts() async throws {
        let counts = try Self.counts(try await Subprocess.probe("CallProbe", try TestBroker.uri))
        let publish = try #require(counts["publish"])
        #expect(publish.sends < 1.3)
        #expect(publish.receives < 0.3)
        #expect(publish.sleeps < Self.mostOfPublish)
        let confirm = try #require(counts["confirm"])
        #expect(confirm.sends < 1.3)
        #expect(confirm.receives < 2.3)
        #expect(confirm.sleeps < Self.mostOfConfirm)
        let delivery = try #require(counts["delivery"])
        #expect(delivery.sends < 0.1)
        #expect(delivery.receives < 0.5)
        #expect(delivery.sleeps < Self.mostOfDelivery)
        // Else nothing is counted at all.
        #expect(publish.sends > 0.9 && confirm.receives > 0.5 || ProcessMeasure.isSanitized)
    }

    @Test("a queue that is woken for each operation is noticed")
    func planted() async throws {
        let counts = try Self.counts(try await Subprocess.probe("CallProbe", try TestBroker.uri, "planted"))
        let publish = try #require(counts["publish"])
        #expect(publish.sleeps > Self.mostOfPublish)
        let confirm = try #require(counts["confirm"])
        #expect(confirm.sleeps > Self.mostOfConfirm)
        let delivery = try #require(counts["delivery"])
        #expect(delivery.sleeps > Self.mostOfDelivery)
    }
}
