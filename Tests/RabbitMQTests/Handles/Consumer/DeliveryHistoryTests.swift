import Testing

@testable import RabbitMQ

/// As seen with RabbitMQ 3.10.8, 4.0.5 and 4.3.6.
@Suite("What is known of earlier deliveries")
struct DeliveryHistoryTests {
    struct Sight: Sendable, CustomTestStringConvertible {
        var what: String
        var version: ServerVersion?
        var type: QueueType?
        var redelivered = false
        var returns: Int?
        var acquisitions: Int?
        var failures = 0
        var attempt: Int
        var wasReturned: DeliveryHistory.Return

        var testDescription: String { "\(version.map { "\($0)" } ?? "?"): \(what)" }

        var history: DeliveryHistory {
            DeliveryHistory(
                redelivered: redelivered,
                returns: returns,
                acquisitions: acquisitions,
                failures: failures,
                hasDied: failures > 0,
                queueType: type,
                version: version
            )
        }
    }

    private static let v310 = ServerVersion(3, 10, 8)
    private static let v40 = ServerVersion(4, 0, 5)
    private static let v43 = ServerVersion(4, 3, 6)

    @Test(arguments: [
        Sight(what: "first", version: v310, returns: 0, attempt: 1, wasReturned: .no),
        Sight(what: "returned", version: v310, redelivered: true, returns: 3, attempt: 4, wasReturned: .yes),
        Sight(what: "died twice", version: v310, returns: 0, failures: 2, attempt: 3, wasReturned: .no),
        Sight(
            what: "died twice, and was returned",
            version: v310,
            redelivered: true,
            returns: 1,
            failures: 2,
            attempt: 4,
            wasReturned: .yes
        ),
        Sight(what: "classic, died twice", version: v310, failures: 2, attempt: 3, wasReturned: .no),
        Sight(what: "classic, returned", version: v310, redelivered: true, failures: 2, attempt: 4, wasReturned: .yes),

        Sight(what: "first", version: v40, attempt: 1, wasReturned: .no),
        Sight(what: "returned", version: v40, redelivered: true, returns: 3, attempt: 4, wasReturned: .yes),
        Sight(
            what: "died twice, or was returned after it",
            version: v40,
            redelivered: true,
            returns: 2,
            failures: 2,
            attempt: 3,
            wasReturned: .unclear
        ),
        Sight(
            what: "died once, was returned twice",
            version: v40,
            redelivered: true,
            returns: 2,
            failures: 1,
            attempt: 3,
            wasReturned: .yes
        ),
        Sight(what: "classic, died twice", version: v40, failures: 2, attempt: 3, wasReturned: .no),
        Sight(what: "classic, returned", version: v40, redelivered: true, failures: 1, attempt: 3, wasReturned: .yes),

        Sight(what: "first", version: v43, attempt: 1, wasReturned: .no),
        Sight(
            what: "given back",
            version: v43,
            type: .quorum,
            redelivered: true,
            acquisitions: 2,
            attempt: 1,
            wasReturned: .no
        ),
        Sight(
            what: "given back, or a publisher's count",
            version: v43,
            redelivered: true,
            acquisitions: 2,
            attempt: 1,
            wasReturned: .unclear
        ),
        Sight(
            what: "failed twice, given back twice",
            version: v43,
            redelivered: true,
            returns: 2,
            acquisitions: 4,
            attempt: 3,
            wasReturned: .yes
        ),
        Sight(
            what: "died four times",
            version: v43,
            redelivered: true,
            returns: 4,
            acquisitions: 4,
            failures: 4,
            attempt: 5,
            wasReturned: .unclear
        ),
        Sight(
            what: "died once, and was returned",
            version: v43,
            redelivered: true,
            returns: 2,
            acquisitions: 1,
            failures: 1,
            attempt: 3,
            wasReturned: .yes
        ),
        Sight(what: "died by nack", version: v43, failures: 3, attempt: 4, wasReturned: .no),
        Sight(
            what: "classic, died twice",
            version: v43,
            redelivered: true,
            failures: 2,
            attempt: 3,
            wasReturned: .unclear
        ),
        Sight(what: "classic, returned", version: v43, redelivered: true, attempt: 2, wasReturned: .yes),

        Sight(what: "another broker's", redelivered: true, returns: 2, failures: 2, attempt: 3, wasReturned: .unclear),
        Sight(what: "another broker's", redelivered: true, failures: 2, attempt: 4, wasReturned: .yes),
    ])
    func `the attempt, and whether this queue has had it before`(_ sight: Sight) {
        #expect(sight.history.attempt == sight.attempt)
        #expect(sight.history.wasReturned == sight.wasReturned)
        #expect(!sight.history.hasForeignCount)
    }

    @Test(arguments: [nil, v310, v40, v43], [-1, 0, 7, Int.max, Int.min])
    func `a publisher's count makes no attempt of a first delivery`(version: ServerVersion?, number: Int) {
        var history = DeliveryHistory(returns: number, acquisitions: number, version: version)
        #expect(history.attempt == 1)
        #expect(history.wasReturned == .no)
        #expect(history.hasForeignCount == (number != 0 || version?.isAtLeast(4, 0) == true))
        // What no quorum queue says of what it delivers again is none's.
        history.redelivered = true
        history.queueType = .classic
        #expect(history.count == nil)
        #expect(history.attempt == 2)
        #expect(history.wasReturned == .yes)
        history.queueType = nil
        #expect((history.count ?? 0) >= 0)
        #expect(history.attempt >= 1)
        history.failures = .max
        #expect(history.attempt == .max)
    }

    @Test func `a count without the number that comes with it from 4.3 on is a publisher's`() {
        let history = DeliveryHistory(redelivered: true, returns: 1, version: Self.v43)
        #expect(history.count == nil)
        #expect(history.attempt == 2)
    }
}
